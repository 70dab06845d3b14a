// What JSON.parse does not tell: a key that stands twice in one object, of which it silently keeps the last.

/** The first key that the outermost object, or an object in it, has twice; null where there is none. Valid JSON only. */
export function duplicateKey(text: string): string | null {
  const seen: (Set<string> | null)[] = [];
  const strings = /"(?:[^"\\]|\\.)*"|[{}[\]]/g;
  for (let m = strings.exec(text); m !== null; m = strings.exec(text)) {
    const token = m[0];
    if (token === '{') seen.push(new Set());
    else if (token === '[') seen.push(null);
    else if (token === '}' || token === ']') seen.pop();
    else {
      const keys = seen.at(-1);
      if (keys == null || !/^\s*:/.test(text.slice(strings.lastIndex, strings.lastIndex + 16))) continue;
      const key = JSON.parse(token) as string;
      if (keys.has(key)) return key;
      keys.add(key);
    }
  }
  return null;
}
