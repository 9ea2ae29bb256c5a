/** The processes of a system that can be killed, frozen and restarted. */
export type ServiceName = 'order' | 'inventory' | 'payment';
/** A process of a service: the first has the service's name and answers to `order-1` as well. */
export type ReplicaName = ServiceName | `${ServiceName}-${number}`;
/** The third party that payment calls. */
export type GatewayName = 'payment-gateway';
export type ProcessName = ReplicaName | GatewayName | 'postgres' | 'kafka';

export const SERVICES: readonly ServiceName[];
export const GATEWAY: GatewayName;

/** Something the person in front can mend. */
export class Problem extends Error {}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** One process that is wanted: whenever it dies it is started again, after 0.2 s, then twice that, up to 5 s. */
export interface SupervisedProcess {
  readonly name: string;
  /** Undefined while nothing runs. */
  readonly pid: number | undefined;
  readonly isRunning: boolean;
  /** Resolves when the run that is present now ends; at once when nothing runs. */
  readonly exited: Promise<Exit>;
  /** Sends a signal, SIGKILL unless told otherwise; what dies of it is started again. False when nothing runs. */
  kill(signal?: NodeJS.Signals): boolean;
  start(): Promise<void>;
  /** Ends it, and it stays ended. After `within` milliseconds (8000) it is killed. */
  stop(how?: StopOptions): Promise<void>;
  restart(how?: StopOptions): Promise<void>;
  freeze(): void;
  thaw(): void;
}

export interface StopOptions {
  readonly signal?: NodeJS.Signals;
  readonly within?: number;
}

/** Further replicas have theirs under their own names. */
export type Ports = FirstPorts & Readonly<Partial<Record<`${ServiceName}-${number}`, number>>>;

export interface FirstPorts {
  readonly order: number;
  readonly payment: number;
  readonly inventory: number;
  readonly 'payment-gateway': number;
  readonly postgres: number;
  readonly kafka: number;
  readonly kafkaController: number;
}

/** The usual ports, and the setting that changes each. */
export const PORTS: Readonly<
  Record<keyof FirstPorts, { readonly port: number; readonly setting: string; readonly what: string }>
>;

export interface SystemEvent {
  readonly name: string;
  readonly what: 'died' | 'restarted' | 'not started';
  readonly code?: number | null;
  readonly signal?: NodeJS.Signals | null;
  readonly pid?: number;
  readonly retryInMs?: number | null;
  readonly error?: Error;
}

export interface SystemOptions {
  /** Where its data, logs, pid files and token live. Made when it is not there; one system per folder. */
  readonly folder: string;
  /**
   * 'free' (the default) picks ports that nobody has; a number left out is the usual one, of a further replica ten more
   * than of the one before.
   */
  readonly ports?: 'free' | Partial<Ports>;
  /** Which services; all three unless told, and the gateway wherever payment is. None: only Postgres and Kafka. */
  readonly services?: readonly ServiceName[];
  /** How many processes of each service, 1 (the default) to 3. */
  readonly replicas?: number;
  /** More environment for every service, for all replicas of a service, and for single further replicas. */
  readonly env?: Readonly<Record<string, string>>;
  readonly serviceEnv?: Readonly<
    Partial<Record<ReplicaName | GatewayName, Readonly<Record<string, string>>>>
  >;
  /** Whether what dies is started again; true. */
  readonly restart?: boolean;
  /** Whether the services fill shelves and open wallets at their first start; true with all three. */
  readonly demoData?: boolean;
  /** False (the default) leaves out fsync: it survives kill -9 of any process, not the loss of the machine. */
  readonly durable?: boolean;
  /** Removes the data of earlier runs in this folder first. */
  readonly fresh?: boolean;
  /** False shows progress; true is the default. */
  readonly quiet?: boolean;
  /** False leaves Kafka out until startKafka(): the broker is absent at the start. */
  readonly startKafka?: boolean;
  /** False does not wait for the consumers to have joined. */
  readonly waitForBroker?: boolean;
  readonly infra?: 'embedded' | 'docker' | 'external';
  readonly external?: { readonly postgresUrl: string; readonly brokers: string };
  /** Hears of deaths and restarts. */
  readonly tell?: (event: SystemEvent) => void;
}

export interface System {
  readonly folder: string;
  readonly ports: Ports;
  /** Of the first replica of each service, and of the gateway. */
  readonly urls: Readonly<Record<ServiceName | GatewayName, string>>;
  /** The server; its databases are faultline_order, faultline_inventory, faultline_payment. */
  readonly postgresUrl: string;
  databaseUrl(service: ServiceName): string;
  /** host:port, several separated by commas. */
  readonly brokers: string;
  /** The service token. */
  readonly token: string;
  readonly infra: 'embedded' | 'docker' | 'external';
  /** The log file of a process. */
  log(name: ProcessName): string;
  process(name: ProcessName): SupervisedProcess;
  /** The processes of a service, first to last: `order`, `order-2`. */
  replicas(service: ServiceName): readonly ReplicaName[];
  /** Where each of them listens, in the same order. */
  replicaUrls(service: ServiceName): readonly string[];
  /**
   * Resolves when every replica of these services (all of them), or this one replica, is ready and, unless told
   * otherwise, each of its consumers is in its group. `order` means all of order; `order-1` its first replica.
   */
  whenReady(options?: {
    readonly within?: number;
    readonly names?: readonly (ReplicaName | GatewayName)[];
    readonly consumers?: boolean;
  }): Promise<void>;
  /** Resolves when it answers queries. */
  startPostgres(): Promise<void>;
  stopPostgres(how?: StopOptions): Promise<void>;
  /** Resolves when groups can be joined. */
  startKafka(): Promise<void>;
  stopKafka(how?: StopOptions): Promise<void>;
  /** Stops a process from running without ending it (SIGSTOP, with all its children), and lets it go on. */
  freeze(name: ProcessName): void;
  thaw(name: ProcessName): void;
  /** Services, then Kafka, then Postgres; within ten seconds. */
  stop(): Promise<void>;
}

/** Starts a system beside any others. The services must have been built. Throws a Problem when it cannot start. */
export function startSystem(options: SystemOptions): Promise<System>;
