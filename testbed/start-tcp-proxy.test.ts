import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { expect, test } from 'vitest';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';
import { startTcpProxy } from './start-tcp-proxy.ts';

test('what is sent before, in and after stalls arrives once, in both directions', async () => {
  let received = '';
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      received += chunk.toString();
      socket.write(chunk);
    });
  });
  const port = await freePort();
  await once(server.listen(port, '127.0.0.1'), 'listening');
  await using proxy = await startTcpProxy(`127.0.0.1:${port}`);
  const client = connect(proxy.port, '127.0.0.1');
  client.on('error', () => undefined);
  let echoed = '';
  client.on('data', (chunk) => (echoed += chunk.toString()));
  let sent = '';
  const send = (text: string): void => {
    sent += text;
    client.write(text);
  };
  const arrived = (): Promise<unknown> =>
    eventually(() => echoed.length >= sent.length, { what: 'the echo' });
  send('before ');
  await arrived();
  for (const time of ['first', 'second']) {
    proxy.stall();
    send(`in the ${time} stall `);
    proxy.resume();
    send(`after the ${time} `);
    await arrived();
  }
  expect({ received, echoed }).toEqual({ received: sent, echoed: sent });
  client.destroy();
  server.close();
});
