/** Programs that the backend runs, and the Debian package that brings each (`apt-file search bin/<program>`). */
const PACKAGES: Readonly<Record<string, string>> = {
  ip: "iproute2",
  ipset: "ipset",
  nft: "nftables",
  nsenter: "util-linux",
  setpriv: "util-linux",
  ss: "iproute2",
  unshare: "util-linux",
};

/** The Debian package that a program comes with; everything else here is a name of xtables-{nft,legacy}-multi(8). */
export function packageOf(program: string): string {
  return PACKAGES[program] ?? "iptables";
}
