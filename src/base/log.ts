// Where DEBUG output and warnings go; the platform decides.
// In: lines. Out: calls of the sink. Not its job: whether something is said (flags).

let sink: (text: string) => void = () => {};
export const setLog = (f: (text: string) => void): void => {
  sink = f;
};
export const log = (text: string): void => sink(text);

const warned = new Set<string>();
/** One line, once. */
export function warnOnce(text: string): void {
  if (warned.has(text)) return;
  warned.add(text);
  sink(text);
}
