// What encoding/json makes of texts: a line of base64 in, a line of tests/core/json_readers.py's form out, or "!".
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"sort"
	"strings"
	"unicode/utf16"
)

func text(value string) string {
	var out strings.Builder
	for _, unit := range utf16.Encode([]rune(value)) {
		fmt.Fprintf(&out, "%04x", unit)
	}
	return `"` + out.String() + `"`
}

func form(value any) string {
	switch value := value.(type) {
	case nil:
		return "null"
	case bool:
		return fmt.Sprint(value)
	case float64:
		return fmt.Sprintf("#%016x", math.Float64bits(value+0))
	case string:
		return text(value)
	case []any:
		var out strings.Builder
		for _, item := range value {
			out.WriteString(form(item))
		}
		return "[" + out.String() + "]"
	case map[string]any:
		members := make([]string, 0, len(value))
		for key, item := range value {
			members = append(members, text(key)+form(item))
		}
		sort.Strings(members)
		return "{" + strings.Join(members, "") + "}"
	}
	return "?"
}

func read(line string) string {
	body, err := base64.StdEncoding.DecodeString(line)
	if err != nil {
		return "?"
	}
	var value any
	if json.Unmarshal(body, &value) != nil {
		return "!"
	}
	return form(value)
}

func main() {
	lines := bufio.NewReader(os.Stdin)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		fmt.Println(read(strings.TrimSuffix(line, "\n")))
	}
}
