// Answering photos by keys, and what the server has of it.
import { BrowserContext, expect, Page } from '@playwright/test';

/** The name of the open photo. */
export const openPhoto = (page: Page) => page.locator('.stage-caption').innerText();

/** The open photo is painted. */
export async function painted(page: Page): Promise<void> {
  await page.waitForFunction(() => {
    const shown = document.querySelector<HTMLImageElement>('.stage-photo-shown');
    return !!shown && shown.complete && shown.naturalWidth > 0;
  });
}

/** Answers photos with the first value of each attribute; returns their names. */
export async function answer(page: Page, photos: number): Promise<string[]> {
  const names: string[] = [];
  for (let photo = 0; photo < photos; photo += 1) {
    const name = await openPhoto(page);
    for (const key of ['1', '1', '1']) await page.keyboard.press(key);
    names.push(name);
    await expect.poll(() => openPhoto(page)).not.toBe(name);
  }
  return names;
}

/** Image and attribute of each label that `annotator` has, from the project's export. */
export async function labelsOf(context: BrowserContext, project: string, annotator: string): Promise<string[]> {
  const csv = await (await context.request.get(`${project}/labels.csv`)).text();
  const rows = csv.trim().split('\n').slice(1).map((line) => line.split(','));
  return rows.filter((row) => row[1] === annotator).map(([image, , attribute]) => `${image} ${attribute}`);
}

/** Everything in `names` has one label per attribute, and there is nothing else. */
export async function expectLabels(context: BrowserContext, project: string, annotator: string, names: string[]): Promise<void> {
  const expected = names.flatMap((name) => ['ear', 'coat', 'body'].map((attribute) => `${name} ${attribute}`));
  expect((await labelsOf(context, project, annotator)).sort()).toEqual(expected.sort());
}

/** What waits in the browser's database, by name. */
export function waiting(page: Page): Promise<string[]> {
  return page.evaluate(
    () =>
      new Promise<string[]>((done, fail) => {
        const open = indexedDB.open('kenami');
        open.onerror = () => fail(open.error);
        open.onsuccess = () => {
          const keys = open.result.transaction('waiting').objectStore('waiting').getAllKeys();
          keys.onerror = () => fail(keys.error);
          keys.onsuccess = () => {
            open.result.close();
            done(keys.result.map(String));
          };
        };
      }),
  );
}
