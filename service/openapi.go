package service

import (
	"encoding/json"
	"strconv"
)

type object = map[string]any

// document returns the OpenAPI document of the service, made of the tables that requests are checked
// by.
func (s *Service) document() []byte {
	paths := object{
		"/healthz": object{"get": object{"operationId": "healthz", "summary": "Whether the service runs; needs no token.", "security": []any{},
			"responses": object{"200": response("ok", "text/plain", object{"type": "string"})}}},
		"/metrics": object{"get": object{"operationId": "metrics", "summary": "Counters in the words of Prometheus.",
			"responses": withProblems(object{"200": response("counters", "text/plain", object{"type": "string"})}, "401", "403")}},
		"/openapi.json": object{"get": object{"operationId": "openapi", "summary": "This document.",
			"responses": withProblems(object{"200": response("this document", kindJSON, object{"type": "object"})}, "401", "403")}},
		"/v1/runs": object{"get": object{"operationId": "runs", "summary": "The runs that are served.",
			"responses": withProblems(object{"200": response("the runs", kindJSON, object{"type": "object", "required": []string{"runs"},
				"properties": object{"runs": object{"type": "array", "items": object{"$ref": "#/components/schemas/run"}}}})}, "401", "403")}},
		"/v1/runs/{run}": object{"parameters": []any{runParameter()}, "get": object{"operationId": "run", "summary": "What a run's machine is.",
			"responses": withProblems(object{"200": response("the run", kindJSON, object{"$ref": "#/components/schemas/run"})}, "401", "403", "404")}},
	}
	for _, op := range operations {
		paths["/v1/runs/{run}/"+op.name] = object{"parameters": []any{runParameter()}, "post": s.describe(op)}
	}
	doc := object{
		"openapi": "3.1.0",
		"info":    object{"title": "mattis serve", "version": s.Version, "summary": "Scores, features, samples and reconstructions of Boltzmann machines."},
		"paths":   paths,
		"components": object{
			"schemas": object{"problem": problemSchema(), "run": runSchema()},
			"responses": object{"problem": object{"description": "why the request is refused",
				"content": object{"application/problem+json": object{"schema": object{"$ref": "#/components/schemas/problem"}}}}},
		},
	}
	if s.Token != "" {
		doc["components"].(object)["securitySchemes"] = object{"token": object{"type": "http", "scheme": "bearer"}}
		doc["security"] = []any{object{"token": []string{}}}
	}
	b, err := json.Marshal(doc)
	if err != nil {
		panic("service: " + err.Error()) // texts and numbers are always encoded
	}
	return b
}

// describe returns an operation of the document.
func (s *Service) describe(op *operation) object {
	properties := object{}
	var query []any
	var needed []string
	for _, id := range op.takes {
		x := s.schema(op, id)
		properties[optionTable[id].name] = x
		if id == optRows {
			needed = append(needed, "rows")
			continue
		}
		if query = append(query, object{"name": optionTable[id].name, "in": "query", "schema": x}); id == optKnown {
			query[len(query)-1].(object)["schema"] = object{"type": "string"} // a list is for bodies
		}
	}
	body := object{"type": "object", "additionalProperties": false, "properties": properties}
	content := object{kindJSON: object{"schema": body}}
	if op.rows {
		body["required"] = needed
		content[kindNPY] = object{"schema": object{"type": "string", "contentMediaType": kindNPY}}
	}
	answers := object{kindJSON: object{"schema": answerSchema(op)}}
	for _, kind := range op.offers[1:] {
		answers[kind] = object{"schema": object{"type": "string", "contentMediaType": kind}}
	}
	return object{
		"operationId": op.name, "summary": op.what, "parameters": query,
		"requestBody": object{"required": op.rows, "content": content},
		"responses": withProblems(object{"200": object{"description": "the answer", "content": answers,
			"headers": object{"X-Mattis-Step": object{"description": "updates that the machine was trained for", "schema": object{"type": "integer"}}}}},
			"400", "401", "403", "404", "406", "408", "413", "415", "422", "429"),
	}
}

// schema returns that of an option of an operation.
func (s *Service) schema(op *operation, id int) object {
	x := optionTable[id]
	least, most := op.bounds(id, s)
	o := object{"description": x.what}
	unset, has := op.unset[id]
	switch x.kind {
	case ofRows:
		of := []any{object{"type": "number"}, object{"type": "boolean"}}
		if op.gaps {
			of = append(of, object{"type": "null"})
		}
		o["type"], o["minItems"], o["maxItems"] = "array", 1, s.MaxRows
		o["items"] = object{"type": "array", "items": object{"anyOf": of}}
	case whole, seed:
		o["type"], o["minimum"] = "integer", least
		if x.kind == whole {
			o["maximum"] = most
		} else {
			o["minimum"], o["maximum"] = 0, json.Number("18446744073709551615")
		}
		if n, err := strconv.Atoi(unset); has && err == nil {
			o["default"] = n
		}
	case number:
		o["type"], o["minimum"], o["exclusiveMaximum"] = "number", 0, 1
	case truth:
		o["type"] = "boolean"
	case word:
		o["type"] = "string"
		if x.choices != nil {
			o["enum"] = x.choices
		}
		if has {
			o["default"] = unset
		}
	case span:
		o["anyOf"] = []any{object{"type": "string", "pattern": "^(rows|spins):[0-9]+(-[0-9]+)?$"},
			object{"type": "array", "items": object{"enum": []any{0, 1, false, true}}}}
	}
	return o
}

// answerSchema returns that of an operation's JSON answer.
func answerSchema(op *operation) object {
	number := object{"type": "number"}
	properties := object{"step": object{"type": "integer", "description": "updates that the machine was trained for"}}
	rows := func(of object) object {
		return object{"type": "array", "items": object{"type": "array", "items": of}}
	}
	switch op.name {
	case "score":
		properties["free_energy"] = object{"type": "array", "items": number}
		properties["way"] = object{"type": "string", "description": "summed out and listed are exact, mean field is from above"}
	case "features":
		properties["hidden"], properties["layer"] = rows(number), object{"type": "string"}
	case "logz":
		properties["value"], properties["stderr"] = number, object{"type": []string{"number", "null"}}
		properties["detail"] = object{"type": "object"}
	default:
		properties["rows"] = rows(object{"enum": []int{-1, 1}})
	}
	return object{"type": "object", "required": []string{op.answer, "step"}, "properties": properties}
}

func runParameter() object {
	return object{"name": "run", "in": "path", "required": true, "schema": object{"type": "string"}, "description": "base name of the run directory"}
}

func response(what, kind string, schema object) object {
	return object{"description": what, "content": object{kind: object{"schema": schema}}}
}

// withProblems adds refusals to the responses.
func withProblems(r object, statuses ...string) object {
	for _, status := range statuses {
		r[status] = object{"$ref": "#/components/responses/problem"}
	}
	return r
}

func problemSchema() object {
	text := object{"type": "string"}
	return object{"type": "object", "required": []string{"title", "status", "detail"}, "properties": object{
		"type": text, "title": text, "status": object{"type": "integer"}, "detail": text,
		"errors": object{"type": "array", "items": object{"type": "object", "required": []string{"location", "message"},
			"properties": object{"location": text, "message": text}}},
	}}
}

func runSchema() object {
	text, n := object{"type": "string"}, object{"type": "integer"}
	texts := object{"type": "array", "items": text}
	return object{"type": "object", "required": []string{"name", "step", "visible", "layers"}, "properties": object{
		"name": text, "step": n, "epoch": n, "sha256": text, "visible": n, "pixels": n, "height": n, "width": n, "labels": texts,
		"layers": object{"type": "array", "items": object{"type": "object", "properties": object{"name": text, "size": n, "kind": text}}},
		"pairs":  object{"type": "array", "items": texts}, "couplings": text, "patterns": n, "data": text, "operations": texts,
		"limits": object{"type": "object", "properties": object{"body": n, "rows": n, "steps": n}},
	}}
}
