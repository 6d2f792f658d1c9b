import { describe, expect, it } from "vitest";
import { parseDeb822, parseOneLine, renderDeb822 } from "./apt-sources.ts";

describe("parseOneLine", () => {
  it("reads entries with and without options", () => {
    const text = [
      "deb http://mirror.example/debian bookworm main contrib",
      "deb [arch=amd64 signed-by=/usr/share/keyrings/some.gpg] https://mirror.example/security bookworm-security main # why",
      "deb [ trusted=yes ] file:/srv/repo ./",
    ].join("\n");
    expect(parseOneLine(text)).toEqual([
      { uris: ["http://mirror.example/debian"], suites: ["bookworm"], components: ["main", "contrib"] },
      {
        uris: ["https://mirror.example/security"],
        suites: ["bookworm-security"],
        components: ["main"],
        signedBy: "/usr/share/keyrings/some.gpg",
      },
      { uris: ["file:/srv/repo"], suites: ["./"], components: [] },
    ]);
  });

  it("leaves out comments, sources of packages and lines that are no entry", () => {
    expect(
      parseOneLine("# deb http://a.example b main\n\n deb-src http://a.example b main\ndeb http://a.example\n"),
    ).toEqual([]);
  });
});

describe("parseDeb822", () => {
  it("reads stanzas, several values to a field, comments between fields", () => {
    const text = [
      "Types: deb deb-src",
      "# http://elsewhere.example/debian",
      "URIs: http://mirror.example/debian http://second.example/debian",
      "Suites: bookworm bookworm-updates",
      "Components: main",
      "Signed-By: /usr/share/keyrings/some.gpg",
      "",
      "types: deb",
      "uris: http://mirror.example/security",
      "suites: bookworm-security",
      "components: main",
      "",
    ].join("\n");
    expect(parseDeb822(text)).toEqual([
      {
        uris: ["http://mirror.example/debian", "http://second.example/debian"],
        suites: ["bookworm", "bookworm-updates"],
        components: ["main"],
        signedBy: "/usr/share/keyrings/some.gpg",
      },
      { uris: ["http://mirror.example/security"], suites: ["bookworm-security"], components: ["main"] },
    ]);
  });

  it("keeps a key that is part of the stanza, and gives it back as it was", () => {
    const key =
      "\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQINBGPL0BUBEADmW5NdOOHwPIJlgPu6JDcKw/NZJPR8lsD3K87ZM18gzyQZJD+w\n -----END";
    const text = `Types: deb\nURIs: http://a.example\nSuites: b\nComponents: main\nSigned-By:${key}\n`;
    expect(parseDeb822(text)[0]?.signedBy).toBe(key);
    expect(parseDeb822(renderDeb822(parseDeb822(text)[0] as never))).toEqual(parseDeb822(text));
  });

  it("leaves out stanzas that are disabled or without packages", () => {
    const stanza = "URIs: http://a.example\nSuites: b\nComponents: main\n";
    expect(parseDeb822(`Types: deb\nEnabled: no\n${stanza}\n\nTypes: deb-src\n${stanza}`)).toEqual([]);
  });
});
