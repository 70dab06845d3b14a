// From data to pixels: linear and logarithmic scales with ticks that a person would choose.
// In: a domain and a range. Out: a function with ticks and number formats.

export type Interval = readonly [number, number];

export interface Scale {
  /** The pixel of a value. */
  at(value: number): number;
  readonly domain: Interval;
  readonly range: Interval;
  /** Round values inside the domain, about `count` of them. */
  ticks(count: number): number[];
}

/** The step of 1, 2 or 5 times a power of ten that cuts `span` into about `count` pieces. */
function roundStep(span: number, count: number): number {
  const rough = span / Math.max(1, count);
  const power = 10 ** Math.floor(Math.log10(rough));
  const lead = rough / power;
  return power * (lead < 1.5 ? 1 : lead < 3.5 ? 2 : lead < 7.5 ? 5 : 10);
}

/** Widens an interval to round numbers; one without width gets some. */
export function niceInterval([lo, hi]: Interval, count = 5): Interval {
  if (!(hi > lo)) return lo === 0 ? [-1, 1] : [lo - Math.abs(lo) / 2, lo + Math.abs(lo) / 2];
  // Wider limits may call for a wider step; then they must be multiples of that.
  let [from, to] = [lo, hi];
  for (let i = 0; i < 3; i++) {
    const step = roundStep(to - from, count);
    [from, to] = [Math.floor(lo / step + 1e-9) * step, Math.ceil(hi / step - 1e-9) * step];
  }
  return [from, to];
}

/** A scale that maps a domain to a range in equal steps, with ticks at 1, 2 and 5 times powers of ten. */
export function linearScale(domain: Interval, range: Interval): Scale {
  const [a, b] = domain;
  const slope = b === a ? 0 : (range[1] - range[0]) / (b - a);
  return {
    at: v => range[0] + (v - a) * slope,
    domain,
    range,
    ticks: count => {
      const step = roundStep(Math.abs(b - a), count);
      const [first, last] = [
        Math.ceil(Math.min(a, b) / step - 1e-9),
        Math.floor(Math.max(a, b) / step + 1e-9),
      ];
      // Counted in whole steps: no 0.30000000000000004.
      return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
    },
  };
}

/** Base 10; the domain must be positive. */
export function logScale(domain: Interval, range: Interval): Scale {
  const inner = linearScale([Math.log10(domain[0]), Math.log10(domain[1])], range);
  return {
    at: v => inner.at(Math.log10(v)),
    domain,
    range,
    ticks: count => {
      const [lo, hi] = [Math.ceil(inner.domain[0] - 1e-9), Math.floor(inner.domain[1] + 1e-9)];
      const decades = Array.from({ length: Math.max(0, hi - lo + 1) }, (_, i) => 10 ** (lo + i));
      if (decades.length > 2 * count)
        return decades.filter((_, i) => i % Math.ceil(decades.length / count) === 0);
      if (decades.length >= 3) return decades;
      // Less than two decades: 1, 2 and 5 of each.
      return [lo - 1, ...decades.map((_, i) => lo + i)]
        .flatMap(e => [1, 2, 5].map(m => m * 10 ** e))
        .filter(v => v >= domain[0] * 0.999 && v <= domain[1] * 1.001)
        .map(v => Number(v.toPrecision(3)));
    },
  };
}

const SUPERSCRIPT = '⁰¹²³⁴⁵⁶⁷⁸⁹';
/** A tick's number: short, with a true minus; powers of ten where digits would be many. */
export function formatTick(v: number): string {
  if (v === 0) return '0';
  const size = Math.abs(v);
  const sign = v < 0 ? '−' : '';
  if (size >= 1e5 || size < 1e-3) {
    const e = Math.floor(Math.log10(size) + 1e-9);
    const lead = Number((size / 10 ** e).toPrecision(3));
    const power = `10${e < 0 ? '⁻' : ''}${[...String(Math.abs(e))].map(d => SUPERSCRIPT[Number(d)]).join('')}`;
    return sign + (lead === 1 ? power : `${lead}·${power}`);
  }
  return sign + String(Number(size.toPrecision(6)));
}

/** A value in a sentence: `digits` significant digits and a true minus. */
export const formatValue = (v: number, digits = 3): string =>
  formatTick(Number(v.toPrecision(digits))) || String(v);
