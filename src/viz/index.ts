// tenon/viz: data to SVG text, without a framework and without a DOM.

export {
  type Block,
  type BlockArrow,
  type BlockChartOptions,
  type BlockPanel,
  blockChart,
} from './blocks.ts';
export { type Axis, chart, type FigureOptions, figure, type Panel } from './chart.ts';
export { diverging, mix } from './color.ts';
export { type Contour, contours, type Grid, type Point } from './contour.ts';
export { type FieldChartOptions, fieldChart } from './fields.ts';
export { type HeatOptions, type HeatScale, heatOverlay, heatPixels } from './heat.ts';
export {
  type BandsOptions,
  bands,
  type DotsOptions,
  dots,
  type Frame,
  isoline,
  type LegendEntry,
  type LineOptions,
  line,
  type Mark,
  type NoteOptions,
  note,
  rule,
} from './marks.ts';
export { type MatrixOptions, matrixChart } from './matrix.ts';
export { type NetworkLayer, type NetworkLink, type NetworkOptions, network } from './network.ts';
export { type PictureGridOptions, type PictureRow, pictureGrid } from './pictures.ts';
export { type Pixels, pngBytes } from './png.ts';
export { type NamedPoint, type PointMapOptions, pointMap } from './points.ts';
export { cellGraph, type UnrolledOptions, unrolled } from './recurrent.ts';
export { formatTick, formatValue, type Interval, linearScale, logScale, type Scale } from './scale.ts';
export { type TableColumn, type TableOptions, tableChart } from './table.ts';
export { seriesColor, THEME } from './theme.ts';
export { type WindowChartOptions, type WindowFrame, windowChart } from './windows.ts';
