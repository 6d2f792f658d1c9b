import { expect, test, vi } from "vitest";
import { freshPage } from "./fresh-page.ts";
import { json } from "./http-server.ts";

test("a page is made once for all who ask meanwhile, and again when it is old", async () => {
  const waiting = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  let made = 0;
  const page = freshPage(50, async () => {
    await waiting[made]?.promise;
    return json(200, { made: ++made });
  });
  const together = [page(), page()];
  waiting[0]?.resolve();
  expect((await Promise.all(together)).map(({ body }) => body)).toEqual(['{"made":1}\n', '{"made":1}\n']);
  waiting[1]?.resolve();
  await vi.waitFor(async () => expect((await page()).body).toBe('{"made":2}\n'));
});

test("within its time it is not made again, however long making it took", async () => {
  let made = 0;
  const page = freshPage(60_000, async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    return json(200, { made: ++made });
  });
  for (let i = 0; i < 3; i++) expect((await page()).body).toBe('{"made":1}\n');
});

test("a page that could not be made is tried again", async () => {
  let fails = true;
  const page = freshPage(60_000, () => {
    if (fails) throw new Error("not now");
    return json(200, {});
  });
  await expect(page()).rejects.toThrow("not now");
  fails = false;
  expect((await page()).status).toBe(200);
});
