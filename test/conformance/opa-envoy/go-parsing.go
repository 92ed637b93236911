// Reads cases as lines of JSON, and answers each with a line: what Go's standard library makes of it,
// called as OPA's Envoy plugin calls it. Texts are hexadecimal both ways, since they may be any bytes.
package main

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
	"os"
	"sort"
	"strings"
)

type question struct {
	Kind        string
	Text        string
	ContentType string
}

type answer struct {
	Error string `json:"error,omitempty"`
	Value any    `json:"value"`
}

func main() {
	in := bufio.NewReader(os.Stdin)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	questions := json.NewDecoder(in)
	answers := json.NewEncoder(out)
	for {
		var q question
		if err := questions.Decode(&q); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			panic(err)
		}
		value, err := parse(q.Kind, unhex(q.Text), unhex(q.ContentType))
		if err != nil {
			answers.Encode(answer{Error: err.Error()})
		} else {
			answers.Encode(answer{Value: tagged(value)})
		}
	}
}

func unhex(text string) string {
	decoded, err := hex.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return string(decoded)
}

func parse(kind, text, contentType string) (any, error) {
	switch kind {
	case "path":
		return parsePath(text)
	case "query":
		values, err := url.ParseQuery(text)
		return listed(values), err
	case "json":
		return parseJSON([]byte(text))
	case "media-type":
		mediaType, params, err := mime.ParseMediaType(text)
		value := map[string]any{"type": mediaType}
		for name, param := range params {
			value["."+name] = param
		}
		return value, err
	case "multipart":
		return parseMultipart(text, contentType)
	}
	panic(kind)
}

func parsePath(text string) (any, error) {
	rawPath, rawQuery, _ := strings.Cut(text, "?")
	decoded, err := url.PathUnescape(rawPath)
	if err != nil {
		return nil, err
	}
	query, err := url.ParseQuery(rawQuery)
	if err != nil {
		return nil, err
	}
	segments := []any{}
	for _, segment := range strings.Split(strings.TrimLeft(decoded, "/"), "/") {
		segments = append(segments, segment)
	}
	return map[string]any{"path": segments, "query": listed(query)}, nil
}

func listed(values url.Values) map[string]any {
	result := map[string]any{}
	for name, texts := range values {
		list := []any{}
		for _, text := range texts {
			list = append(list, text)
		}
		result[name] = list
	}
	return result
}

func parseJSON(text []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, err
	}
	if token, err := decoder.Token(); token != nil {
		return nil, errors.New("more after the value")
	} else if err != nil && err != io.EOF {
		return nil, err
	}
	return value, nil
}

func parseMultipart(text, contentType string) (any, error) {
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return nil, err
	}
	boundary, ok := params["boundary"]
	if !ok {
		return nil, nil
	}
	values := map[string]any{}
	parts := multipart.NewReader(strings.NewReader(text), boundary)
	for {
		part, err := parts.NextPart()
		if err == io.EOF {
			return values, nil
		}
		if err != nil {
			return nil, err
		}
		name := part.FormName()
		if name == "" {
			continue
		}
		content, err := io.ReadAll(part)
		if err != nil {
			return nil, err
		}
		var value any = string(content)
		if strings.Contains(part.Header.Get("Content-Type"), "application/json") {
			if value, err = parseJSON(content); err != nil {
				return nil, err
			}
		}
		list, _ := values[name].([]any)
		values[name] = append(list, value)
	}
}

// tagged keeps texts that are not UTF-8, numbers as they are written, and members in order.
func tagged(value any) any {
	switch value := value.(type) {
	case string:
		return map[string]any{"text": hex.EncodeToString([]byte(value))}
	case json.Number:
		return map[string]any{"number": value.String()}
	case []any:
		items := []any{}
		for _, item := range value {
			items = append(items, tagged(item))
		}
		return map[string]any{"items": items}
	case map[string]any:
		names := []string{}
		for name := range value {
			names = append(names, name)
		}
		sort.Strings(names)
		members := []any{}
		for _, name := range names {
			members = append(members, []any{hex.EncodeToString([]byte(name)), tagged(value[name])})
		}
		return map[string]any{"members": members}
	}
	return value
}
