import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Progress } from './progress.ts';
import { runTool } from './run-tool.ts';
import { fetchOnce } from './server-cache.ts';
import { sha256OfFolder } from './sha256.ts';
import { TestbedError } from './testbed-error.ts';

/** The two Kafka lines that Oplogue is tested on. */
export type KafkaLine = '3.9' | '4';

interface KafkaRelease {
  readonly version: string;
  readonly jars: number;
  /** Over names and contents of all jars, see sha256OfFolder. */
  readonly sha256: string;
  /** Libraries beside Kafka's own: 4.x comes without an SLF4J binding and would log nothing. */
  readonly extra: readonly string[];
}

const releases: Record<KafkaLine, KafkaRelease> = {
  '3.9': {
    version: '3.9.1',
    jars: 105,
    sha256: '137d12b8c9e2f3eacb61ef0e431265aaacbf55ca12ae60d1b57146b0d01605ea',
    extra: [],
  },
  '4': {
    version: '4.2.0',
    jars: 93,
    sha256: 'fda8acf955e35143975b8457d09993561d403b1e9f2a3accccbb5fcf9a5cdbf0',
    extra: ['org.slf4j:slf4j-simple:1.7.36'],
  },
};

const ownKafkaHint = 'or set KAFKA_BROKERS=host:port to a Kafka of your own';

/**
 * Folder with all jars of a Kafka release (broker, storage tool, performance tools), fetched once from Maven Central.
 * @throws TestbedError with the remedy
 */
export async function fetchKafka(line: KafkaLine): Promise<string> {
  const release = releases[line];
  return fetchOnce(`kafka-${release.version}`, async (staging) => {
    const progress = new Progress(`fetching Kafka ${release.version}`);
    await copyJars(release, staging, progress);
    const sha256 = await sha256OfFolder(staging);
    if (sha256 !== release.sha256) {
      throw new TestbedError(
        `The SHA-256 over the jars of Kafka ${release.version} is ${sha256}, expected ${release.sha256}`,
        'a mirror or a proxy changes what Maven fetches: compare the jars with Maven Central',
      );
    }
    progress.say('ready');
  });
}

async function copyJars(release: KafkaRelease, staging: string, progress: Progress): Promise<void> {
  const project = `${staging}.pom`;
  mkdirSync(project, { recursive: true });
  writeFileSync(join(project, 'pom.xml'), pom(release));
  let copied = 0;
  progress.step(0, release.jars);
  try {
    await runTool({
      command: 'mvn',
      // --strict-checksums: a jar that does not match its checksum fails instead of warning.
      args: [
        '--batch-mode',
        '--strict-checksums',
        'dependency:copy-dependencies',
        `-DoutputDirectory=${staging}`,
      ],
      cwd: project,
      hint: `install Maven (mvn) and Java 17; ${ownKafkaHint}`,
      onLine: (line) => {
        const downloaded = /Downloaded from .*\/([^/]+\.jar)/.exec(line)?.[1];
        if (line.includes('Copying ')) copied += 1;
        if (downloaded !== undefined || line.includes('Copying ')) {
          progress.step(copied, release.jars, downloaded);
        }
      },
    });
  } finally {
    rmSync(project, { recursive: true, force: true });
  }
}

function pom(release: KafkaRelease): string {
  const artifacts = [
    `org.apache.kafka:kafka_2.13:${release.version}`,
    `org.apache.kafka:kafka-tools:${release.version}`,
    ...release.extra,
  ];
  const dependencies = artifacts.map((artifact) => {
    const [group, name, version] = artifact.split(':');
    return `<dependency><groupId>${group}</groupId><artifactId>${name}</artifactId><version>${version}</version></dependency>`;
  });
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>oplogue</groupId><artifactId>kafka-for-tests</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>${dependencies.join('\n')}</dependencies>
</project>
`;
}
