// A folder of demo photos in the Oxford layout, small enough for a test to answer all of it.
import { appendFile, copyFile, mkdir, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const DEMO = resolve(__dirname, '../../demo');

/**
 * Copies the photos of `breeds` with their annotations, the breed standards and the guidelines; adds a file that is no
 * photo, an exact duplicate, and returns the folder with the number of photos.
 */
export async function smallSet(breeds: string[]): Promise<{ folder: string; photos: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'kenami-photos-'));
  await mkdir(join(folder, 'images'));
  await mkdir(join(folder, 'annotations'));
  const chosen = (name: string) => breeds.some((breed) => name.replace(/_\d+(\.jpg)?$/, '') === breed);
  let photos = 0;
  for (const name of await readdir(join(DEMO, 'images'))) {
    if (!chosen(name)) continue;
    await copyFile(join(DEMO, 'images', name), join(folder, 'images', name));
    photos += 1;
  }
  for (const table of ['list', 'trainval', 'test']) {
    const lines = (await readFile(join(DEMO, 'annotations', `${table}.txt`), 'utf8')).split('\n');
    const kept = lines.filter((line) => line.startsWith('#') || chosen(line.split(' ')[0]));
    await writeFile(join(folder, 'annotations', `${table}.txt`), kept.join('\n') + '\n');
  }
  for (const file of ['breed_standards.csv', 'guidelines.md']) await copyFile(join(DEMO, file), join(folder, file));
  // What an import must report by name, and what it must link instead of keeping twice.
  const broken = `${breeds[0]}_998`;
  await writeFile(join(folder, 'images', `${broken}.jpg`), 'not a photo');
  const [original] = (await readdir(join(folder, 'images'))).filter((name) => name.startsWith(breeds[1])).sort();
  const copy = `${breeds[1]}_999`;
  await copyFile(join(folder, 'images', original), join(folder, 'images', `${copy}.jpg`));
  const rows = await readFile(join(folder, 'annotations/list.txt'), 'utf8');
  const row = rows.split('\n').find((line) => line.startsWith(original.replace('.jpg', ' ')))!;
  const rest = row.split(' ').slice(1).join(' ');
  for (const table of ['list', 'trainval']) {
    for (const name of [broken, copy]) await appendFile(join(folder, 'annotations', `${table}.txt`), `${name} ${rest}\n`);
  }
  return { folder, photos: photos + 1 };
}
