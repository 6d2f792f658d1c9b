import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { createLogger } from "../logging/logger.ts";
import { type HttpLimits, HttpServer, json } from "./http-server.ts";

const lines: string[] = [];
const log = createLogger({ format: "json", level: "info", output: { write: (line) => lines.push(line) } });

const listen = (limits: Partial<HttpLimits> = {}, port = 0): Promise<HttpServer> =>
  HttpServer.listen({
    address: "127.0.0.1",
    port,
    log,
    limits,
    pages: {
      "/good": () => json(200, { ok: true }),
      "/large": () => ({ status: 200, type: "text/plain", body: "x".repeat(64 * 1024 * 1024) }),
      "/broken": () => {
        throw new Error("something inside");
      },
    },
  });

const ask = (server: HttpServer, path: string, init: RequestInit = {}) =>
  fetch(`http://127.0.0.1:${server.port}${path}`, { ...init, headers: { connection: "close", ...init.headers } });

/** A connection that says this and nothing more; what it gets until the other end closes. */
async function raw(server: HttpServer, said: string): Promise<{ socket: Socket; answer: Promise<string> }> {
  const socket = connect(server.port, "127.0.0.1");
  await once(socket, "connect");
  socket.write(said);
  const answer = text(socket).catch((error: NodeJS.ErrnoException) => `${error.code}`);
  return { socket, answer };
}

test("a page is served to GET and to HEAD, whatever the query", async () => {
  await using server = await listen();
  const response = await ask(server, "/good?verbose");
  expect(response.status).toBe(200);
  expect(response.headers.get("content-type")).toBe("application/json");
  expect(await response.json()).toEqual({ ok: true });
  const head = await ask(server, "/good", { method: "HEAD" });
  expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, "12", ""]);
});

test("anything else is refused, and says what there is", async () => {
  await using server = await listen();
  const missing = await ask(server, "/__proto__");
  expect([missing.status, await missing.text()]).toEqual([404, "no such path; there are /good, /large, /broken\n"]);
  const wrong = await ask(server, "/good", { method: "DELETE" });
  expect([wrong.status, wrong.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  const broken = await ask(server, "/broken");
  expect([broken.status, await broken.text()]).toEqual([500, "something inside\n"]);
  expect(lines.join("")).toContain("an HTTP request failed");
});

test("a body is not read: the connection ends", async () => {
  await using server = await listen();
  const { answer } = await raw(server, "POST /good HTTP/1.1\r\nHost: n\r\nContent-Length: 99999999\r\n\r\nx");
  expect(await answer).toMatch(/^HTTP\/1\.1 413 [\s\S]*a request may have no body\n$/);
  const chunked = await raw(server, "GET /good HTTP/1.1\r\nHost: n\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n");
  expect(await chunked.answer).toMatch(/^HTTP\/1\.1 413 /);
});

test("who speaks slowly, too much, or not HTTP is closed", async () => {
  await using server = await listen({ headMs: 200 });
  const slow = await raw(server, "GET /good HT");
  expect(await slow.answer).toMatch(/^HTTP\/1\.1 408 /);
  const silent = await raw(server, "");
  expect(await silent.answer).toMatch(/^(HTTP\/1\.1 408 |$)/);
  const large = await raw(server, `GET /good HTTP/1.1\r\nHost: n\r\nA: ${"a".repeat(9000)}\r\n\r\n`);
  expect(await large.answer).toMatch(/^(HTTP\/1\.1 431 |ECONNRESET)/);
  const noise = await raw(server, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n");
  expect(await noise.answer).toMatch(/^HTTP\/1\.1 400 /);
  expect((await ask(server, "/good")).status).toBe(200);
});

test("who does not read the answer is closed", async () => {
  await using server = await listen({ headMs: 200 });
  const socket = connect(server.port, "127.0.0.1");
  socket.on("error", () => undefined); // reset by the other end, which is what is waited for
  socket.write("GET /large HTTP/1.1\r\nHost: n\r\n\r\n");
  socket.pause();
  await once(socket, "connect");
  const closed = once(socket, "close");
  // Nothing is read until the server has given up; then what had been on the way, and the end.
  await expect.poll(() => server.connections).toBe(0);
  socket.resume();
  await closed;
});

test("whoever takes all connections keeps nobody out", async () => {
  await using server = await listen({ connections: 4 });
  const held: Socket[] = [];
  for (let i = 0; i < 40; i++) held.push((await raw(server, "GET /good HTTP/1.1\r\n")).socket);
  expect((await ask(server, "/good")).status).toBe(200);
  await turn();
  expect(server.connections).toBeLessThanOrEqual(4);
  for (const socket of held) socket.destroy();
});

test("a port that somebody else has is named, with what to do", async () => {
  const other = createServer().listen(0, "127.0.0.1");
  await once(other, "listening");
  const { port } = other.address() as AddressInfo;
  try {
    await expect(listen({}, port)).rejects.toMatchObject({
      code: "ERR_HTTP_PORT",
      exit: 6,
      message: `another process has address 127.0.0.1, port ${port}`,
      hint: expect.stringContaining("ss -ltnp"),
    });
  } finally {
    other.close();
  }
});

test("an address that the node does not have is named", async () => {
  const options = { address: "198.18.255.254", port: 0, log, pages: {} };
  await expect(HttpServer.listen(options)).rejects.toMatchObject({ code: "ERR_HTTP_ADDRESS", exit: 2 });
});
