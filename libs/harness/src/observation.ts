import { type Databases, openDatabases } from './databases.js';
import { type Recording, startRecording } from './recording.js';
import type { System } from './system.js';
import { startTap, type Tap } from './tap.js';

/** Everything that watches a system from outside. */
export interface Observation {
  readonly databases: Databases;
  readonly recording: Recording;
  readonly tap: Tap;
  /** Ends the watching, not the system. Call it before the system's stop. */
  stop(): Promise<void>;
}

/** Begins to watch: once per system, when its services are ready and before the first order. */
export async function observe(system: Pick<System, 'databaseUrl' | 'brokers'>): Promise<Observation> {
  const databases = openDatabases(system);
  try {
    const recording = await startRecording(databases);
    const tap = startTap(system);
    return {
      databases,
      recording,
      tap,
      async stop() {
        await tap.stop();
        await databases.close();
      },
    };
  } catch (error) {
    await databases.close();
    throw error;
  }
}
