import { describe, expect, it } from "vitest";
import { RUNS, runsOn } from "./plan.ts";

const names = (release: string, wanted: readonly string[] = RUNS) => runsOn(release, wanted).map(({ name }) => name);

describe("runsOn", () => {
  it("has tcx only where the kernel has it, told by numbers and not by letters", () => {
    expect(names("5.10.0-46-cloud-amd64")).toEqual(["ebpf-clsact", "iptables-nft", "iptables-legacy", "selection"]);
    expect(names("6.1.0-56-cloud-amd64")).not.toContain("ebpf-tcx");
    expect(names("6.6.1")).toContain("ebpf-tcx");
    expect(names("6.12.117+deb13-cloud-amd64")).toContain("ebpf-tcx");
    expect(names("10.0.0")).toContain("ebpf-tcx");
  });

  it("takes only what is wanted, and limits behaviours", () => {
    expect(runsOn("6.12.1", ["ebpf-tcx", "selection"], ["outbound-tcp", "4"])).toEqual([
      { name: "ebpf-tcx", arguments: "--backend ebpf --attach tcx --only outbound-tcp,4" },
      { name: "selection", arguments: "" },
    ]);
  });

  it("shows each form of each backend once in the smoke test", () => {
    expect(runsOn("5.10.0-46-cloud-amd64", ["smoke"])).toEqual([
      { name: "smoke", arguments: "--attach clsact --flavour legacy" },
    ]);
    expect(runsOn("6.12.1", ["smoke"])).toEqual([{ name: "smoke", arguments: "--attach tcx --flavour nft" }]);
  });
});
