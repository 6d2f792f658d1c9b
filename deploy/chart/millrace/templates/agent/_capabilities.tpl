{{/* What the agent may do instead of everything (privileged), each with its reason. The SecurityContextConstraints allow the same. */}}
{{- define "millrace.capabilities" -}}
- NET_ADMIN # interfaces, routes, rules, sysctls of networks; attaching tc programs; nftables and iptables
- NET_BROADCAST # hearing what is changed in the proxies' namespaces too, without keeping them open (netlink(7), NETLINK_LISTEN_ALL_NSID)
- NET_RAW # iptables-legacy talks to the kernel by a raw socket
- SYS_ADMIN # setns(2) into pods' network namespaces, unshare(2) to try rules out, finding BPF objects by id, laying /proc/sys/net over
- BPF # loading programs and maps (Linux 5.8; SYS_ADMIN includes it)
- SYS_PTRACE # /proc/<pid>/ns/net of pods, whose processes run as other users
- SYS_RESOURCE # memory of maps counts against RLIMIT_MEMLOCK before Linux 5.11, which libbpf raises
- DAC_OVERRIDE # directories of the node that belong to other users than root
- CHOWN # a network configuration of another user or group keeps its owner when our entry goes in
{{- end -}}
