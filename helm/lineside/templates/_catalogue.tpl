{{- /* Topics and rights, from streams/topics.py and streams/acls.py, for this release's group. */ -}}
{{- define "lineside.catalogue" -}}
{{ .Files.Get "generated/catalogue.json" | replace "{group}" .Values.kafka.group }}
{{- end }}
