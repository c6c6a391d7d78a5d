import { freePort } from '../../testbed/free-port.ts';
import type { KafkaLine } from '../../testbed/fetch-kafka.ts';
import { startKafka, type TestKafka } from '../../testbed/start-kafka.ts';
import { startTcpProxy, type TcpProxy } from '../../testbed/start-tcp-proxy.ts';

/** A broker with two listeners: `kafka.brokers` leads to it directly, and clients of `proxy.address` stay on the proxy. */
export interface KafkaBehindProxy extends AsyncDisposable {
  readonly kafka: TestKafka;
  readonly proxy: TcpProxy;
}

export async function startKafkaBehindProxy(version: KafkaLine): Promise<KafkaBehindProxy> {
  const [port, backPort, proxyPort, controllerPort] = [
    await freePort(),
    await freePort(),
    await freePort(),
    await freePort(),
  ];
  const kafka = await startKafka({
    version,
    port,
    config: {
      'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
      listeners: `PLAINTEXT://127.0.0.1:${port},BACK://127.0.0.1:${backPort},CONTROLLER://127.0.0.1:${controllerPort}`,
      'advertised.listeners': `PLAINTEXT://127.0.0.1:${port},BACK://127.0.0.1:${proxyPort}`,
      'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,BACK:PLAINTEXT,CONTROLLER:PLAINTEXT',
      'inter.broker.listener.name': 'PLAINTEXT',
    },
  });
  const proxy = await startTcpProxy(`127.0.0.1:${backPort}`, proxyPort);
  return {
    kafka,
    proxy,
    async [Symbol.asyncDispose]() {
      await proxy.close();
      await kafka[Symbol.asyncDispose]();
    },
  };
}
