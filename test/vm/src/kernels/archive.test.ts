import { describe, expect, it } from "vitest";
import { sourcesFor } from "./archive.ts";

const source = (uri: string, suites: string[], components = ["main", "contrib"]) => ({
  uris: [uri],
  suites,
  components,
});

describe("sourcesFor", () => {
  it("puts the wanted release in the place of the machine's own and keeps everything else", () => {
    const key = { signedBy: "/usr/share/keyrings/some.gpg" };
    const own = [
      { ...source("http://a.example/debian", ["bookworm", "bookworm-updates"]), ...key },
      { ...source("http://a.example/security", ["bookworm-security"]), ...key },
    ];
    expect(sourcesFor("5.10", own)).toEqual([
      { ...source("http://a.example/debian", ["bullseye"], ["main"]), ...key },
      { ...source("http://a.example/security", ["bullseye-security"], ["main"]), ...key },
    ]);
  });

  it("takes a source of both kinds, names like `stable`, and each only once", () => {
    const own = [
      source("http://a.example/all", ["stable", "stable-security"]),
      source("http://a.example/all", ["stable-security", "stable"]),
    ];
    expect(sourcesFor("6.12", own)).toEqual([source("http://a.example/all", ["trixie-security", "trixie"], ["main"])]);
  });

  it("takes nothing of other distributions, backports and other components", () => {
    const own = [
      source("http://b.example/ubuntu", ["noble", "noble-security"]),
      source("http://a.example/debian", ["bookworm-backports", "bookworm-updates"]),
      source("http://a.example/debian", ["bookworm"], ["non-free-firmware"]),
    ];
    expect(sourcesFor("6.1", own)).toEqual([]);
  });
});
