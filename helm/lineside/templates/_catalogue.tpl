{{- /* Topics and rights, from streams/contract/topics.py and streams/contract/rights.py, for this release's group. */ -}}
{{- define "lineside.catalogue" -}}
{{ .Files.Get "generated/catalogue.json" | replace "{group}" .Values.kafka.group }}
{{- end }}
