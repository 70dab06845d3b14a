// Whether an SVG text is well formed.

import { expect } from 'vitest';

/** Throws where tags are not closed in order, or an attribute holds a bare sign. */
export function checkXml(svg: string): void {
  const open: string[] = [];
  const rest = svg.replace(/<(\/?)([a-z]+)((?: [a-z-]+="[^"<>]*")*)(\/?)>/gi, (_, close, name, _a, empty) => {
    if (close) expect(open.pop()).toBe(name);
    else if (!empty) open.push(name);
    return '';
  });
  expect(open).toEqual([]);
  expect(rest).not.toMatch(/[<>]/);
  expect(svg).not.toMatch(/NaN|undefined|Infinity/);
}
