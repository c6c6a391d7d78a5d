import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import type * as Kafka from '@platformatic/kafka';

type Client = typeof Kafka;

/** Files of the client that hold what is used here: connections, the wire format, requests, error codes. */
const PARTS = ['network/connection.js', 'protocol/index.js', 'apis/index.js', 'errors.js'];
/** One name of each of them. */
const PROOFS: readonly (keyof Client)[] = ['Connection', 'Reader', 'apiVersionsV3', 'ResponseError'];

/**
 * The lower level of the Kafka client. Its root also loads consumers, admin, schema registries and their validators, which
 * take 0.25 s of CPU and 20 MB at each start (measured with 1.35) and are not needed to produce, so the parts are
 * loaded by their files; where a release has them elsewhere, the root is loaded after all.
 */
async function loadClient(): Promise<Client> {
  const root = pathToFileURL(createRequire(import.meta.url).resolve('@platformatic/kafka'));
  try {
    const parts: Partial<Client>[] = await Promise.all(PARTS.map((part) => import(new URL(part, root).href)));
    const merged: Partial<Client> = {};
    for (const part of parts) Object.assign(merged, part);
    if (isWhole(merged)) return merged;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND')) throw error;
  }
  return import('@platformatic/kafka');
}

function isWhole(merged: Partial<Client>): merged is Client {
  return PROOFS.every((name) => name in merged);
}

export const client: Client = await loadClient();
