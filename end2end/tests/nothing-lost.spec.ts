// Cut in the middle of work: network, tab, server and database. No answer is lost, and none is doubled.
import { BrowserContext, expect, Page, test } from '@playwright/test';

import { answer, expectLabels, labelsOf, openPhoto, painted, waiting } from '../support/annotating';
import { Kenami } from '../support/kenami';
import { join_, look, newcomer, open } from '../support/people';

test.describe.configure({ mode: 'serial' });
// What is cut is the same behind every size of window.
test.skip(({ isMobile }) => !!isMobile, 'on the desktop alone');

const SUBMIT = '**/fn/submit_answers*';
let kenami: Kenami;
let project: string;
let context: BrowserContext;
let page: Page;
/** What has been answered so far. */
const answered: string[] = [];

test.beforeAll(async ({ browser }, info) => {
  if (info.project.use.isMobile) return;
  kenami = await Kenami.start();
  await kenami.demoLoaded();
  project = `${kenami.url}/p/pets-demo`;
  ({ context, page } = await newcomer(browser));
  await join_(page, await kenami.firstAdministratorLink(), 'owner');
  await annotate();
});

test.afterAll(async () => {
  await context?.close();
  await kenami?.dispose();
});

/** Opens the annotate page in `page`. */
async function annotate(): Promise<void> {
  await open(page, `${project}/annotate`);
  await painted(page);
}

/** The tab is gone, without being asked; another one is opened. */
async function closeTab(): Promise<void> {
  await page.close();
  page = await context.newPage();
}

const pending = (photos: number) => expect(page.getByText(new RegExp(`offline, ${photos} waiting since \\d\\d:\\d\\d`))).toBeVisible();

/** Everything has arrived, once, and nothing waits in the browser. */
async function nothingLost(): Promise<void> {
  await expect(page.getByText('all saved')).toBeVisible({ timeout: 45_000 });
  await expectLabels(context, project, 'owner', answered);
  await expect.poll(() => waiting(page)).toEqual([]);
  // Photos for the next test, which may be one without a server.
  await expect(page.locator('.stage-photo')).toHaveCount(6, { timeout: 45_000 });
}

test('the network drops and comes back', async () => {
  answered.push(...(await answer(page, 2)));
  await context.setOffline(true);
  answered.push(...(await answer(page, 3)));
  await pending(3);
  await expect(page.getByText('closing the page is safe')).toBeVisible();
  expect((await waiting(page)).length).toBe(3);
  await look(page, 'pending');
  await context.setOffline(false);
  await nothingLost();
});

test('the server has the answers, but the browser does not learn of it', async () => {
  let cut = 0;
  await page.route(SUBMIT, async (route) => {
    await route.fetch();
    cut += 1;
    await route.abort('connectionreset');
  });
  answered.push(...(await answer(page, 3)));
  await pending(3);
  expect(cut).toBeGreaterThanOrEqual(3);
  await page.unroute(SUBMIT);
  await nothingLost();
});

test('the tab closes with answers waiting, the last one just given', async () => {
  await context.setOffline(true);
  answered.push(...(await answer(page, 2)));
  answered.push(await openPhoto(page));
  for (const key of ['1', '1', '1']) await page.keyboard.press(key);
  await closeTab();
  await context.setOffline(false);
  await annotate();
  await nothingLost();
});

test('the server is killed in the middle of a save, and comes back', async () => {
  answered.push(await openPhoto(page));
  for (const key of ['1', '1', '1']) await page.keyboard.press(key);
  await kenami.kill();
  answered.push(...(await answer(page, 3)));
  await expect(page.getByText(/offline, [34] waiting since/)).toBeVisible();
  await kenami.run();
  await nothingLost();
});

test('the server is killed and the tab closed', async () => {
  await kenami.kill();
  answered.push(...(await answer(page, 2)));
  await pending(2);
  await closeTab();
  await kenami.run();
  await annotate();
  await nothingLost();
});

test('the database hangs, and goes on', async () => {
  await kenami.signalDatabase('SIGSTOP');
  try {
    answered.push(...(await answer(page, 2)));
    await expect(page.getByText(/saving 2|offline, 2 waiting/)).toBeVisible();
    expect((await waiting(page)).length).toBe(2);
  } finally {
    await kenami.signalDatabase('SIGCONT');
  }
  await nothingLost();
});

test('the database is killed in the middle of a save, and comes back with the server', async () => {
  answered.push(await openPhoto(page));
  for (const key of ['1', '1', '1']) await page.keyboard.press(key);
  await kenami.signalDatabase('SIGKILL');
  answered.push(...(await answer(page, 2)));
  // The server waits for its database for a while before it says that it cannot save.
  await expect(page.getByText(/saving [23]|offline, [23] waiting since/)).toBeVisible();
  await kenami.kill();
  await kenami.run();
  await nothingLost();
});

test('two tabs send the same answers', async () => {
  await page.route(SUBMIT, (route) => route.abort());
  answered.push(...(await answer(page, 3)));
  await pending(3);
  const other = await context.newPage();
  await open(other, `${project}/annotate`);
  await expect(other.getByText('all saved')).toBeVisible();
  await expectLabels(context, project, 'owner', answered);
  await page.unroute(SUBMIT);
  await nothingLost();
  await other.close();
});

test('what an earlier version kept in local storage moves to the database', async () => {
  await page.route(SUBMIT, (route) => route.abort());
  answered.push(...(await answer(page, 2)));
  await pending(2);
  await page.evaluate(
    () =>
      new Promise<void>((done, fail) => {
        const open = indexedDB.open('kenami');
        open.onsuccess = () => {
          const transaction = open.result.transaction('waiting', 'readwrite');
          const cursor = transaction.objectStore('waiting').openCursor();
          cursor.onsuccess = () => {
            const entry = cursor.result;
            if (!entry) return;
            localStorage.setItem(String(entry.key), JSON.stringify(JSON.parse(entry.value).record));
            entry.delete();
            entry.continue();
          };
          transaction.oncomplete = () => done();
          transaction.onabort = () => fail(transaction.error);
        };
      }),
  );
  await closeTab();
  await page.route(SUBMIT, (route) => route.abort());
  await annotate();
  await pending(2);
  await expect.poll(async () => (await waiting(page)).length).toBe(2);
  const local = () => page.evaluate(() => Object.keys(localStorage).filter((name) => name.startsWith('kenami.answers')));
  await expect.poll(local).toEqual([]);
  await page.unroute(SUBMIT);
  await nothingLost();
});

test('a browser without a database says so, keeps answers in local storage and sends them', async () => {
  await closeTab();
  await page.addInitScript(() => Object.defineProperty(window, 'indexedDB', { value: undefined }));
  await page.route(SUBMIT, (route) => route.abort());
  await annotate();
  answered.push(...(await answer(page, 2)));
  await pending(2);
  await expect(page.getByText('This browser has no database')).toBeVisible();
  await look(page, 'pending-no-database');
  await closeTab();
  await annotate();
  await nothingLost();
});

test('a screen of the grid waits like single answers', async () => {
  await open(page, `${project}/suggestions`);
  await page.getByLabel('From', { exact: true }).selectOption('standards');
  await page.getByLabel('Answered without suggestions').fill('0');
  await page.getByRole('button', { name: 'Suggest', exact: true }).click();
  await expect(page.getByText('ear: 185 photos')).toBeVisible();
  await open(page, `${project}/grid`);
  const tiles = page.locator('.grid-tile');
  await expect(tiles.first()).toBeVisible();
  const count = await tiles.count();
  const before = await labelsOf(context, project, 'owner');
  await context.setOffline(true);
  await page.keyboard.press('Enter');
  await expect(page.getByText('offline, 1 screen waiting since')).toBeVisible();
  await closeTab();
  await context.setOffline(false);
  await open(page, `${project}/grid`);
  await expect(page.getByText('all saved')).toBeVisible();
  await expect.poll(() => waiting(page)).toEqual([]);
  const labels = await labelsOf(context, project, 'owner');
  expect(labels.length).toBe(before.length + count);
  expect(new Set(labels).size).toBe(labels.length);
});
