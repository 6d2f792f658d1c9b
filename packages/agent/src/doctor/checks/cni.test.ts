import type { CniView, InstallState } from "@millrace/cni-install";
import { expect, test } from "vitest";
import { cniFindings } from "./cni.ts";

const places = { bpffs: "/b", adminSocket: "/a", cniConfDir: "/net.d", cniBinDir: "/bin", installState: "/s" };
const view = (seen: Partial<CniView>): CniView => ({
  used: "10-x.conflist",
  hasEntry: false,
  hasPlugin: true,
  warnings: [],
  ...seen,
});
const said = (state: InstallState["state"]): InstallState => ({
  version: 1,
  state,
  since: "2026-01-01T00:00:00.000Z",
  pid: 1,
  detail: "because",
  warnings: [],
  writes: 1,
});

test.each([
  ["as it should be", view({ hasEntry: true }), said("installed"), "good", /10-x\.conflist has our entry/],
  ["what is there counts, not what was said", view({ hasEntry: true }), said("contended"), "good", /has our entry/],
  ["an entry without its plugin", view({ hasEntry: true, hasPlugin: false }), undefined, "bad", /no pod can start/],
  ["a quarrel", view({}), said("contended"), "bad", /contended since 2026.*because/],
  ["a configuration that cannot take it", view({}), said("refused"), "bad", /refused since 2026.*because/],
  ["taken out since, and nobody puts it back", view({}), said("installed"), "warn", /install --watch/],
  ["never installed", view({}), undefined, "note", /`millrace install`/],
  ["no network yet", view({ used: undefined }), said("waiting"), "note", /no network configuration/],
] as const)("%s", (_what, seen, state, verdict, detail) => {
  expect(cniFindings(seen, state, places)).toEqual([
    { name: "CNI", state: verdict, detail: expect.stringMatching(detail) },
  ]);
});

test("what the directory warns of is told besides", () => {
  const warnings = [{ code: "CILIUM_EXCLUSIVE", message: "Cilium has …" }] as const;
  expect(cniFindings(view({ hasEntry: true, warnings }), undefined, places)).toEqual([
    expect.objectContaining({ state: "good" }),
    { name: "CNI", state: "warn", detail: "Cilium has …" },
  ]);
});
