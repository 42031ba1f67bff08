package formats

// textFormats are the formats with parsers of their own whose typical line is known, and ecs_json.
func textFormats() []string {
	names := []string{"ecs_json"}
	for _, n := range natives() {
		if n.name != "nginx_combined" {
			names = append(names, n.name)
		}
	}
	return names
}
