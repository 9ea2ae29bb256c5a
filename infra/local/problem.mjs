/** Something the person in front can mend: shown as a sentence, without a stack. */
export class Problem extends Error {
  name = 'Problem';
}
