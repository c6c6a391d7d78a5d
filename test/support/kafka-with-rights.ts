import { freePort } from '../../testbed/free-port.ts';
import { startKafka, type TestKafka } from '../../testbed/start-kafka.ts';
import { withAdmin } from './kafka-receiver-under-test.ts';

/** Numbers of the protocol (kafka.apache.org/protocol, "ACLs"). */
const resourceTypes = { topic: 2, group: 3, transactionalId: 5 } as const;
const operations = { read: 3, write: 4, describe: 8 } as const;
const LITERAL = 3;
const ALLOW = 3;

/** A broker on which a user may do nothing that was not allowed. */
export interface KafkaWithRights extends AsyncDisposable {
  readonly kafka: TestKafka;
  /** Where the user logs in (SASL PLAIN); `kafka.brokers` asks for no rights. */
  readonly guarded: string;
  allow(
    resourceType: keyof typeof resourceTypes,
    name: string,
    ...rights: ReadonlyArray<keyof typeof operations>
  ): Promise<void>;
}

export async function startKafkaWithRights(user: string, password: string): Promise<KafkaWithRights> {
  const [port, saslPort, controllerPort] = [await freePort(), await freePort(), await freePort()];
  const guarded = `127.0.0.1:${saslPort}`;
  const kafka = await startKafka({
    port,
    config: {
      listeners: `PLAINTEXT://127.0.0.1:${port},SASL_PLAINTEXT://${guarded},CONTROLLER://127.0.0.1:${controllerPort}`,
      'listener.security.protocol.map':
        'PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT',
      'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
      'sasl.enabled.mechanisms': 'PLAIN',
      'listener.name.sasl_plaintext.plain.sasl.jaas.config': `org.apache.kafka.common.security.plain.PlainLoginModule required user_${user}="${password}";`,
      'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users': 'User:ANONYMOUS',
    },
  });
  return {
    kafka,
    guarded,
    allow: (resourceType, resourceName, ...rights) =>
      withAdmin(kafka.brokers, (admin) =>
        admin.createAcls({
          creations: rights.map((right) => ({
            resourceType: resourceTypes[resourceType],
            resourceName,
            resourcePatternType: LITERAL,
            principal: `User:${user}`,
            host: '*',
            operation: operations[right],
            permissionType: ALLOW,
          })),
        }),
      ),
    [Symbol.asyncDispose]: () => kafka[Symbol.asyncDispose](),
  };
}
