/**
 * One place of the built services that reads otherwise in a run of the harness: a guard taken out, or a crash point put
 * in. The production files know nothing of it. `find` must be there exactly once, or the process refuses to start: a
 * patch that hits nothing would prove nothing.
 */
export interface Patch {
  /** From the project's root, as built: `libs/transactions/outbox/dist/relay.js`. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** The source with every patch of this file applied, in order. Throws when one does not fit exactly once. */
export function patched(file: string, source: string, patches: readonly Patch[]): string {
  let text = source;
  for (const { find, replace } of patches.filter((patch) => patch.file === file)) {
    const found = text.split(find).length - 1;
    if (found !== 1) throw new Error(`a patch of ${file} fits ${found} times, not once: ${find}`);
    text = text.replace(find, () => replace);
  }
  return text;
}
