import { expect, test } from "vitest";
import type { SwitchAnswer } from "../status/switch-document.ts";
import { renderDryRun, requirePossible } from "./dry-run.ts";

const answer = (more: Partial<SwitchAnswer> = {}): SwitchAnswer => ({
  from: "ebpf",
  to: "iptables",
  summary: "can",
  steps: ["shop/web: iptables joins ebpf"],
  isBegun: false,
  lacks: [],
  refused: [],
  ...more,
});
const web = { uid: "uid-web", namespace: "shop", name: "web", objects: ["one", "two"] };
const bridge = { code: "ERR_BRIDGE", message: "no gateway" };

test("what would be done is told for each pod, and nothing keeps it from being done", () => {
  const possible = answer({ workloads: [web] });
  expect(renderDryRun(possible)).toBe("would write: 2 objects for shop/web\nwould: shop/web: iptables joins ebpf\n");
  expect(() => requirePossible(possible)).not.toThrow();
  expect(() => requirePossible(answer())).not.toThrow();
});

test("what would fail is told, by its code", () => {
  const refused = answer({ workloads: [web, { ...web, name: "db", objects: [], refused: bridge }] });
  expect(renderDryRun(refused)).toContain("would be refused: shop/db: ERR_BRIDGE: no gateway\n");
  expect(() => requirePossible(refused)).toThrow(
    expect.objectContaining({
      code: "ERR_SWITCH_WOULD_FAIL",
      message: "a switch to iptables would fail: shop/db: ERR_BRIDGE: no gateway",
    }),
  );
  const both = answer({ refused: ["ERR_CLASH: mark"], workloads: [{ ...web, partly: bridge }] });
  expect(renderDryRun(both)).toContain("would be refused: shop/web: in part: ERR_BRIDGE: no gateway\n");
  expect(() => requirePossible(both)).toThrow("ERR_CLASH: mark (and 1 more)");
});

test("what the target lacks here is told one by one", () => {
  const lacking = answer({ summary: "missing: nft", lacks: ["program.nft: not installed"] });
  expect(renderDryRun(lacking)).toMatch(/^lacks: program.nft: not installed\n/);
  expect(() => requirePossible(lacking)).toThrow(expect.objectContaining({ code: "ERR_NO_CAPABLE_BACKEND" }));
});
