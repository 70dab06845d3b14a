// The one visual language of all pictures: colours, type, spacing. In: nothing. Out: constants.
// Negative is orange and positive blue (told apart by every kind of colour vision), zero is the page's own ground.

/** Colours, type and spacing of all pictures. */
export const THEME = {
  /** PNG pictures come with Inter and Noto Sans SC; elsewhere the reader's system has something alike. */
  font: "Inter, system-ui, -apple-system, 'Segoe UI', 'Noto Sans SC', 'PingFang SC', 'Microsoft YaHei', sans-serif",
  ground: '#ffffff',
  ink: '#1d2935',
  soft: '#596673',
  axis: '#b9c2cc',
  grid: '#e9edf1',
  negative: '#dd6e12',
  positive: '#2474b5',
  /** Colours of lines, in the order of their series. */
  series: ['#2474b5', '#dd6e12', '#1f9484', '#8259ad', '#a97d00', '#596673'],
  size: { title: 17, subtitle: 12.5, label: 12, tick: 11.5 },
  weight: { normal: 400, strong: 600 },
} as const;

/** The colour of the i-th series. */
export const seriesColor = (i: number): string => THEME.series[i % THEME.series.length]!;
