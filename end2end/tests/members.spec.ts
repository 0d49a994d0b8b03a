// Buttons of rows and dialogs do what their own row says, also after the list has been rendered again.
import { BrowserContext, expect, Page, test } from '@playwright/test';

import { Kenami } from '../support/kenami';
import { join_, newcomer, open } from '../support/people';

test.describe.configure({ mode: 'serial' });

let kenami: Kenami;
let context: BrowserContext;
let page: Page;

test.beforeAll(async ({ browser }) => {
  kenami = await Kenami.start();
  await kenami.demoLoaded();
  for (const name of ['ada', 'ben', 'cleo']) {
    await kenami.cli('admin', 'user', 'add', name, '--role', 'annotator', '--project', 'pets-demo');
  }
  ({ context, page } = await newcomer(browser));
  await join_(page, await kenami.firstAdministratorLink(), 'owner');
});

test.afterAll(async () => {
  await context?.close();
  await kenami?.dispose();
});

const row = (name: string) => page.getByRole('row').filter({ has: page.getByRole('rowheader', { name, exact: true }) });

test('who is asked about is who is removed', async () => {
  await open(page, `${kenami.url}/p/pets-demo/members`);
  await page.getByRole('button', { name: 'Remove ada' }).click();
  await expect(page.getByRole('dialog')).toContainText('ada');
  await page.getByRole('dialog').getByRole('button', { name: 'Keep' }).click();
  await page.getByRole('button', { name: 'Remove ben' }).click();
  await expect(page.getByRole('dialog')).toContainText('ben');
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await expect(row('ben')).toHaveCount(0);
  await expect(row('ada')).toHaveCount(1);
});

test('after a removal the rows that moved up are themselves', async () => {
  await page.getByRole('button', { name: 'Remove ada' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await expect(row('ada')).toHaveCount(0);
  await page.getByRole('button', { name: 'Remove cleo' }).click();
  await expect(page.getByRole('dialog')).toContainText('cleo');
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await expect(row('cleo')).toHaveCount(0);
  await expect(row('owner')).toHaveCount(0);
});
