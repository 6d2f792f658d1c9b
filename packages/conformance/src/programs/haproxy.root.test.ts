import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { FAMILIES } from "../lab/addresses.ts";
import { Lab } from "../lab/lab.ts";
import { Haproxy } from "./haproxy.ts";
import { PROXY_PORTS } from "./haproxy-config.ts";

describe("HAProxy in the lab", () => {
  let lab: Lab;
  let proxy: Haproxy;
  beforeAll(async () => {
    lab = await Lab.create({ nodes: [{ pods: ["a"], proxies: ["z"] }] });
    proxy = await Haproxy.start(lab.pod("z"), { directory: lab.node(1).paths.root });
  });
  afterAll(async () => await lab[Symbol.asyncDispose]());

  for (const family of FAMILIES) {
    it(`never dials itself over IPv${family}`, async () => {
      const client = await lab.pod("a").endpoint();
      for (const port of [PROXY_PORTS.outbound, PROXY_PORTS.inbound]) {
        const outcome = await client.ask("report", { host: lab.pod("z").address(family), port, timeoutMs: 2_000 });
        expect(outcome).toMatchObject({ ok: false, failure: expect.stringMatching(/ECONNRESET|EOF/) });
      }
    });

    it(`ends HBONE in its sink and records it over IPv${family}`, async () => {
      const since = proxy.mark();
      const client = await lab.pod("a").endpoint();
      const target = { host: lab.pod("z").address(family), port: PROXY_PORTS.hbone };
      expect(await client.ask("report", target)).toMatchObject({ ok: true, value: { local: "127.0.0.1" } });
      const source = lab.pod("a").address(family);
      expect(await proxy.awaitRecords({ frontend: "hbone", source, destination: target.host }, since)).toHaveLength(1);
    });
  }

  it("tells what it accepted since a mark from what only ended since", async () => {
    const client = await lab.pod("a").endpoint();
    const target = { host: lab.pod("z").address(4), port: PROXY_PORTS.hbone };
    const begun = proxy.mark();
    const opened = await client.ask("open", target);
    if (!opened.ok) throw new Error(opened.failure);
    // The kernel has answered the client; only what comes back tells that the proxy has accepted it.
    expect(await client.ask("exchange", { handle: opened.value.handle, rounds: 1 })).toMatchObject({ ok: true });
    const later = proxy.mark();
    await client.ask("close", { handle: opened.value.handle });
    expect(await proxy.awaitRecords({ source: lab.pod("a").address(4) }, begun)).toHaveLength(1);
    expect(proxy.since(later)).toEqual([]);
  });

  it("drains: serves what is open and takes nothing new", async () => {
    const client = await lab.pod("a").endpoint();
    const target = { host: lab.pod("z").address(4), port: PROXY_PORTS.hbone };
    const opened = await client.ask("open", target);
    if (!opened.ok) throw new Error(opened.failure);
    proxy.drain();
    await expect.poll(() => proxy.ready()).toBe(false);
    expect(await client.ask("report", target)).toMatchObject({ ok: false });
    expect(await client.ask("exchange", { handle: opened.value.handle, rounds: 5 })).toMatchObject({ ok: true });
    await client.ask("close", { handle: opened.value.handle });
    await proxy.program.ended;
  });
});
