/** Identity of a proxy. The same pod in a new sandbox is another one: its connections died with the old namespace. */
export function proxyKey(uid: string, netnsInode: number, addresses: readonly string[]): string {
  return `${uid}/${netnsInode}/${addresses.join(",")}`;
}

/** What a key was made of: backends keep nothing else of who a proxy is. Undefined for one that no run of ours has made. */
export function partsOfKey(key: string): { readonly uid: string; readonly addresses: string[] } | undefined {
  const [, uid, addresses] = /^([^/]+)\/\d+\/([^/]*)$/.exec(key) ?? [];
  if (uid === undefined || addresses === undefined) return undefined;
  return { uid, addresses: addresses === "" ? [] : addresses.split(",") };
}
