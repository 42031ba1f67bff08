package rules

import "strings"

// tacticOf is the tactic of a technique of ATT&CK or ATLAS: where one serves several, the one it has
// in attacks on liveness checks. Sub-techniques have that of their technique; "" is not known.
func tacticOf(technique string) string {
	if !strings.HasPrefix(technique, "AML.") {
		technique, _, _ = strings.Cut(technique, ".")
	}
	switch technique {
	case "T1595", "T1589", "T1590", "T1591", "T1592", "T1593", "T1596", "T1597", "T1598":
		return "reconnaissance"
	case "T1583", "T1584", "T1585", "T1586", "T1587", "T1588", "T1608", "T1650":
		return "resource-development"
	case "T1190", "T1133", "T1189", "T1195", "T1199", "T1566", "T1078":
		return "initial-access"
	case "T1059", "T1203", "T1204", "T1106", "T1648":
		return "execution"
	case "T1098", "T1136", "T1505", "T1556":
		return "persistence"
	case "T1068", "T1548", "T1134":
		return "privilege-escalation"
	case "T1036", "T1562", "T1600", "T1656", "T1070", "T1027", "T1090", "T1553", "T1685":
		return "defense-evasion"
	case "T1110", "T1552", "T1557", "T1040", "T1528", "T1539", "T1555", "T1606", "T1621", "T1649":
		return "credential-access"
	case "T1046", "T1087", "T1526", "T1580", "T1619":
		return "discovery"
	case "T1550", "T1021", "T1563":
		return "lateral-movement"
	case "T1530", "T1119", "T1213", "T1005", "T1113", "T1125":
		return "collection"
	case "T1071", "T1102", "T1105", "T1573":
		return "command-and-control"
	case "T1567", "T1041", "T1048", "T1537":
		return "exfiltration"
	case "T1499", "T1498", "T1565", "T1485", "T1486", "T1489", "T1496", "T1657":
		return "impact"
	case "AML.T0015", "AML.T0043":
		return "ai-model-evasion"
	case "AML.T0088", "AML.T0087", "AML.T0016", "AML.T0017":
		return "ai-attack-staging"
	}
	return ""
}
