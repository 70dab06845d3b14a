// What JSON.parse does not tell: a key that stands twice in one object, of which it silently keeps the last.

/** The first key that the outermost object, or an object in it, has twice; null where there is none. Valid JSON only. */
export function duplicateKey(text: string): string | null {
  const seen: (Set<string> | null)[] = [];
  for (let at = 0; at < text.length; at++) {
    const c = text[at];
    if (c === '{') seen.push(new Set());
    else if (c === '[') seen.push(null);
    else if (c === '}' || c === ']') seen.pop();
    else if (c === '"') {
      const end = stringEnd(text, at);
      const keys = seen.at(-1);
      if (keys != null && isKey(text, end)) {
        const key = JSON.parse(text.slice(at, end)) as string;
        if (keys.has(key)) return key;
        keys.add(key);
      }
      at = end - 1;
    }
  }
  return null;
}
/** Where the string that begins at `from` is over. No regular expression: those overflow the stack on long strings. */
function stringEnd(text: string, from: number): number {
  for (let at = text.indexOf('"', from + 1); ; at = text.indexOf('"', at + 1)) {
    let first = at;
    while (text[first - 1] === '\\') first--;
    if ((at - first) % 2 === 0) return at + 1;
  }
}
function isKey(text: string, end: number): boolean {
  let at = end;
  while (text[at] === ' ' || text[at] === '\n' || text[at] === '\t' || text[at] === '\r') at++;
  return text[at] === ':';
}
