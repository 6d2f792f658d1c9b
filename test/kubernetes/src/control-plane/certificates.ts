import { execFileSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Paths of PEM files. */
export interface KeyPair {
  readonly key: string;
  readonly certificate: string;
}

/** What a control plane proves itself and its clients with, as kubeadm would make it. */
export interface Certificates {
  readonly ca: KeyPair;
  readonly server: KeyPair;
  /** Of the group `system:masters`, to which RBAC allows everything. */
  readonly admin: KeyPair;
  /** Signs service accounts' tokens. */
  readonly accounts: { readonly key: string; readonly publicKey: string };
}

/** Makes them in a directory, good for two days. `addresses` are where the API server is reached. */
export function makeCertificates(directory: string, addresses: readonly string[]): Certificates {
  mkdirSync(directory, { recursive: true });
  const file = (name: string) => join(directory, name);
  const pair = (name: string): KeyPair => ({ key: file(`${name}.key`), certificate: file(`${name}.crt`) });
  // Of our own, without sections, so that the machine's adds no extensions.
  writeFileSync(file("openssl.cnf"), "[req]\ndistinguished_name=name\n[name]\n");
  const make = ({ key, certificate }: KeyPair, subject: string, extensions: readonly string[], ca?: KeyPair) => {
    const signedBy = ca === undefined ? [] : ["-CA", ca.certificate, "-CAkey", ca.key];
    const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    const added = extensions.flatMap((extension) => ["-addext", extension]);
    execFileSync(
      "openssl",
      [
        ...["req", "-x509", "-config", file("openssl.cnf"), ...kind, ...signedBy],
        ...["-subj", subject, ...added, "-keyout", key, "-out", certificate],
      ],
      { stdio: "pipe" },
    );
  };

  const [ca, server, admin] = [pair("ca"), pair("server"), pair("admin")];
  make(ca, "/CN=kubernetes", ["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,digitalSignature"]);
  const names = ["DNS:kubernetes.default.svc", ...addresses.map((address) => `IP:${address}`)].join(",");
  make(server, "/CN=kube-apiserver", ["extendedKeyUsage=serverAuth", `subjectAltName=${names}`], ca);
  make(admin, "/O=system:masters/CN=kubernetes-admin", ["extendedKeyUsage=clientAuth"], ca);

  const accounts = { key: file("accounts.key"), publicKey: file("accounts.pub") };
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  writeFileSync(accounts.key, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  writeFileSync(accounts.publicKey, publicKey.export({ type: "spki", format: "pem" }));
  return { ca, server, admin, accounts };
}
