// The page of a run: what was asked for, what came out, the pictures. One file that opens anywhere.

import { readdir, readFile } from 'node:fs/promises';
import { writeFileAtomic } from '../io/index.ts';
import type { Language } from './language.ts';
import type { Recipe } from './recipes/recipe.ts';
import type { RunConfig, RunFolder } from './run-folder.ts';
import type { Finished } from './run-recipe.ts';

const escapeHtml = (s: string): string =>
  s.replace(/[&<>"]/g, c => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]!);
const table = (rows: readonly (readonly [string, string])[]): string =>
  `<table>${rows.map(([k, v]) => `<tr><th scope="row">${escapeHtml(k)}</th><td>${escapeHtml(v)}</td></tr>`).join('')}</table>`;

const STYLE = `body{font:16px/1.5 Inter,system-ui,'Noto Sans SC','PingFang SC','Microsoft YaHei',sans-serif;color:#1d2935;
max-width:60rem;margin:2rem auto;padding:0 1rem}h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}
table{border-collapse:collapse}th{text-align:left;font-weight:400;color:#596673;padding:.15rem 1.5rem .15rem 0}
figure{margin:1rem 0}svg{max-width:100%;height:auto}footer{color:#596673;font-size:.85rem;margin-top:3rem}`;

export async function writeReport(
  folder: RunFolder,
  recipe: Recipe,
  config: RunConfig,
  result: Finished,
  language: Language,
): Promise<string> {
  const zh = language === 'zh';
  const pictures = (await readdir(folder.path)).filter(f => f.endsWith('.svg')).sort();
  const figures = await Promise.all(
    pictures.map(async f => `<figure>${await readFile(folder.file(f), 'utf8')}</figure>`),
  );
  const settings = Object.entries({ seed: config.seed, device: config.device, ...config.settings });
  const command = `tenon train ${recipe.name} --seed ${config.seed} ${Object.entries(config.settings)
    .map(([k, v]) => `--set ${k}=${String(v)}`)
    .join(' ')}`;
  const page = `<!doctype html>
<html lang="${zh ? 'zh-CN' : 'en'}"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escapeHtml(recipe.name)}</title><style>${STYLE}</style>
<h1>${escapeHtml(recipe.name)}</h1>
<p>${escapeHtml(recipe.about[language])}</p>
<h2>${zh ? '结果' : 'Result'}</h2>
${table([...result.facts.map(([label, v]) => [label[language], v] as const), [zh ? '用时' : 'time', `${result.seconds.toFixed(2)} s`]])}
<p>${zh ? '要达到' : 'must reach'}: ${escapeHtml(recipe.goal[language])}</p>
${figures.join('\n')}
<h2>${zh ? '设置' : 'Settings'}</h2>
${table(settings.map(([k, v]) => [k, String(v)] as const))}
<footer><code>${escapeHtml(command)}</code></footer>
</html>
`;
  const file = folder.file('report.html');
  await writeFileAtomic(file, page);
  return file;
}
