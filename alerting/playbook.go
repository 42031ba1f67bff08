package alerting

// Playbook is a page of rules.d/playbooks.
type Playbook struct{}
