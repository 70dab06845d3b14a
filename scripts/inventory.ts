// npm run inventory: what of the course's sources is still owed, by subject, and how much is there.

import { INVENTORY, type Item } from '../test/inventory.ts';

const owed = (item: Item): readonly string[] => item.links.flatMap(l => (l.kind === 'owed' ? [l.name] : []));
/** Some of it is there: a test, a recipe, a page. */
const begun = (item: Item): boolean => item.links.some(l => l.kind !== 'owed');

const works = new Map<string, string[]>();
for (const { section, title, items } of INVENTORY) {
  const done = items.filter(i => owed(i).length === 0).length;
  const open = items.filter(i => !begun(i)).length;
  const counts = [`${done} done`, `${items.length - done - open} begun`, `${open} open`];
  console.log(`${section.padEnd(6)}${title.padEnd(48)}${counts.map(c => c.padStart(10)).join('')}`);
  for (const item of items) {
    const name = `${section} ${item.id}${item.about ? ` ${item.about}` : ''}${begun(item) ? ' (begun)' : ''}`;
    for (const work of owed(item)) works.set(work, [...(works.get(work) ?? []), name]);
  }
}
console.log('\nowed');
for (const [work, names] of [...works].sort(([a], [b]) => a.localeCompare(b))) {
  console.log(`\n${work}: ${names.length}`);
  for (const name of names) console.log(`  ${name}`);
}
