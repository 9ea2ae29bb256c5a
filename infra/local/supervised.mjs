import { setTimeout as sleep } from 'node:timers/promises';
import { end, freeze, send, spawnLogged, thaw } from './processes.mjs';

const FIRST_WAIT = 200;
const LONGEST_WAIT = 5000;
/** A process that ran so long was well: its next death starts again from the shortest wait. */
const WELL_AFTER = 10_000;

/**
 * One process that is wanted. While it is, it is started again whenever it dies: after 0.2 s, then twice that, up to
 * 5 s. `prepare` answers what to spawn and may have `finished({ clean })`; `tell` hears of deaths and restarts.
 */
export class Supervised {
  #o;
  #wanted = false;
  #run;
  #wait = FIRST_WAIT;
  #again;
  #starting;
  #deaths = 0;

  /** @param options { name, log, pidFile, prepare, restart, tell } */
  constructor(options) {
    this.#o = { restart: true, tell: () => {}, ...options };
  }

  get name() {
    return this.#o.name;
  }

  get pid() {
    return this.#run?.pid;
  }

  /** Resolves with { code, signal } when the present run ends; at once when nothing runs. */
  get exited() {
    return this.#run?.exited ?? Promise.resolve({ code: null, signal: null });
  }

  /** How often it died by itself since start(). */
  get deaths() {
    return this.#deaths;
  }

  get isRunning() {
    return this.#run !== undefined;
  }

  async start() {
    this.#wanted = true;
    this.#wait = FIRST_WAIT;
    this.#deaths = 0;
    clearTimeout(this.#again);
    if (!this.#run) await this.#launch();
  }

  /** Ends it, and it stays ended. After `within` milliseconds it is killed. */
  async stop({ signal = this.#o.stopSignal ?? 'SIGTERM', within = 8000 } = {}) {
    this.#wanted = false;
    clearTimeout(this.#again);
    await this.#starting?.catch(() => undefined);
    if (this.#run) await end(this.#run.pid, { signal, within, exited: this.#run.exited });
    // Lets what hangs on the exit run first.
    await sleep(0);
  }

  /** Sends it a signal; what dies of it is started again. */
  kill(signal = 'SIGKILL') {
    return this.#run ? send(this.#run.pid, signal) : false;
  }

  async restart(options) {
    await this.stop(options);
    await this.start();
  }

  freeze() {
    if (this.#run) freeze(this.#run.pid);
  }

  thaw() {
    if (this.#run) thaw(this.#run.pid);
  }

  #launch() {
    this.#starting = this.#spawn().finally(() => (this.#starting = undefined));
    return this.#starting;
  }

  async #spawn() {
    const { name, log, pidFile, prepare } = this.#o;
    const { finished, ...what } = await prepare();
    if (!this.#wanted) return;
    const since = Date.now();
    const run = await spawnLogged({ name, log, pidFile, ...what });
    this.#run = run;
    void run.exited.then((exit) => {
      this.#run = undefined;
      finished?.({ clean: exit.code === 0 || exit.code === 143 });
      this.#ended(exit, Date.now() - since);
    });
  }

  #ended({ code, signal }, ran) {
    if (!this.#wanted) return;
    this.#deaths += 1;
    const { name, tell, restart } = this.#o;
    if (ran > WELL_AFTER) this.#wait = FIRST_WAIT;
    const wait = restart ? this.#wait : null;
    tell({ name, what: 'died', code, signal, retryInMs: wait });
    if (!restart) return;
    this.#wait = Math.min(this.#wait * 2, LONGEST_WAIT);
    this.#again = setTimeout(() => void this.#relaunch(), wait);
  }

  async #relaunch() {
    const { name, tell } = this.#o;
    try {
      await this.#launch();
      if (this.#wanted) tell({ name, what: 'restarted', pid: this.pid });
    } catch (error) {
      tell({ name, what: 'not started', error, retryInMs: this.#wait });
      if (this.#wanted) this.#again = setTimeout(() => void this.#relaunch(), this.#wait);
    }
  }
}
