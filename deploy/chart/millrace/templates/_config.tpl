{{/* One setting with two names: ours, and the one in the chart istio-cni. */}}
{{- define "millrace.redirectMode" -}}
{{- $plain := .Values.redirectMode -}}
{{- $original := .Values.cni.ambient.redirectMode -}}
{{- if and $plain $original (ne $plain $original) -}}
{{- fail (printf "redirectMode is %q and cni.ambient.redirectMode is %q, but they are two names of one setting: set only one of them" $plain $original) -}}
{{- end -}}
{{- coalesce $plain $original "auto" -}}
{{- end -}}

{{/* The agent's configuration file: what is in .Values.config, and what the chart knows better. */}}
{{- define "millrace.config" -}}
{{- $kubernetes := dict "enabled" true "daemonSet" (printf "%s/%s" .Release.Namespace (include "millrace.agent" .)) -}}
{{- if .Values.startupTaint.enabled -}}
{{- $_ := set $kubernetes "startupTaint" .Values.startupTaint.key -}}
{{- end -}}
{{- $own := dict
  "redirectMode" (include "millrace.redirectMode" .)
  "kubernetes" $kubernetes
  "manifests" (dict "enabled" false)
  "http" (dict "port" (int .Values.httpPort))
  "membership" (dict "excludeNamespaces" (append .Values.cni.excludeNamespaces .Release.Namespace | uniq | sortAlpha))
  "install" (dict
    "enabled" true
    "keepPlugin" .Values.cni.keepPlugin
    "cniBinDir" .Values.cni.cniBinDir
    "cniConfDir" .Values.cni.cniConfDir
    "ownConfig" .Values.cni.ownConfig
    "agentNamespace" .Release.Namespace
    "agentPodNamePrefix" (printf "%s-" (include "millrace.agent" .)))
  "paths" (dict "ambientConfig" (printf "%s/config.json" (trimSuffix "/" .Values.cni.ambient.configDir)))
-}}
{{- if .Values.nodeProxy.enabled -}}
{{- include "millrace.checkNodeProxy" . -}}
{{- $labels := include "millrace.selectorLabels" (dict "name" (include "millrace.nodeProxy" .) "root" .) | fromYaml -}}
{{- $_ := set $own "proxy" (dict "namespace" .Release.Namespace "labels" $labels) -}}
{{- end -}}
{{- mergeOverwrite (deepCopy .Values.config) $own | toYaml -}}
{{- end -}}

{{/* What HAProxy cannot do must not be led to it. */}}
{{- define "millrace.checkNodeProxy" -}}
{{- if .Values.config.proxy -}}
{{- fail "nodeProxy.enabled makes the chart's HAProxy the node proxy, and config.proxy names another one: set only one of them" -}}
{{- end -}}
{{- if .Values.config.dnsCapture -}}
{{- fail "config.dnsCapture leads members' DNS to port 15053 of the node proxy, where HAProxy does not answer: leave nodeProxy.enabled or config.dnsCapture out" -}}
{{- end -}}
{{- end -}}
