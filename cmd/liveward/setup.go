package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/liveward/liveward/forwarders/elasticsearch"
	"github.com/liveward/liveward/internal/agent"
)

func setupCommand() *cobra.Command {
	cmd := group(&cobra.Command{Use: "setup", Short: "Prepare what liveward writes to"})
	cmd.AddCommand(setupElasticsearchCommand())
	return cmd
}

func setupElasticsearchCommand() *cobra.Command {
	var config, user, passwordFile, keyFile, profile string
	var urls []string
	var ca string
	var dry, serverless, newKey, noKey bool
	cmd := &cobra.Command{
		Use:   "elasticsearch",
		Short: "Create templates, lifecycle and the agent's least-privilege API key",
		Long: `Create the component and index templates with their lifecycle, and an API key that may only append to
liveward's own data streams. It can be run again at any time. Run it once with an administrator's
name; the agent never needs one.`,
		Example: `  liveward setup elasticsearch --url https://es1.example:9200 --ca ca.pem --user elastic --password-file pw --key-file liveward.key
  liveward setup elasticsearch --dry-run`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out := cmd.OutOrStdout()
			opts := elasticsearch.SetupOptions{Profile: elasticsearch.Profile(profile), Serverless: serverless, NewKey: newKey, NoKey: noKey}
			if dry {
				plan, err := elasticsearch.SetupPlan(opts)
				if err != nil {
					return usageError{err}
				}
				for _, r := range plan {
					if _, err := fmt.Fprintf(out, "%s %s\n%s\n\n", r.Method, r.Path, r.Body); err != nil {
						return err
					}
				}
				return nil
			}
			if keyFile == "" && !noKey {
				return usageError{fmt.Errorf("--key-file: say where to write the API key, or --no-key")}
			}
			cfg, err := setupConfig(config, urls, ca, user, passwordFile)
			if err != nil {
				return err
			}
			report, err := elasticsearch.Setup(cmd.Context(), cfg, opts)
			for _, s := range report.Steps {
				if _, err := fmt.Fprintf(out, "%-9s %s\n", s.Outcome, s.Path); err != nil {
					return err
				}
			}
			if err != nil {
				return err
			}
			if report.Key == nil {
				_, err = fmt.Fprintln(out, "no new key: an active one exists; --new-key makes another")
				return err
			}
			if err := os.WriteFile(keyFile, []byte(report.Key.Encoded+"\n"), 0o600); err != nil {
				return fmt.Errorf("write key: %w", err)
			}
			_, err = fmt.Fprintf(out, "API key written to %s; use it with elasticsearch.api_key: ${file:%s}\n", keyFile, keyFile)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVarP(&config, "config", "c", "", "take addresses and TLS from this configuration")
	f.StringSliceVar(&urls, "url", nil, "address of Elasticsearch")
	f.StringVar(&ca, "ca", "", "PEM file of the authority to trust")
	f.StringVar(&user, "user", "", "administrator's name")
	f.StringVar(&passwordFile, "password-file", "", "file with the administrator's password (else $LIVEWARD_SETUP_PASSWORD)")
	f.StringVar(&keyFile, "key-file", "", "file to write the agent's API key to, mode 0600")
	f.StringVar(&profile, "profile", string(elasticsearch.Full), "full, or minimal for servers without the x-pack field types")
	f.BoolVar(&serverless, "serverless", false, "leave out what serverless projects refuse")
	f.BoolVar(&newKey, "new-key", false, "make a key even if an active one exists")
	f.BoolVar(&noKey, "no-key", false, "templates only")
	f.BoolVar(&dry, "dry-run", false, "print the requests and send none")
	return cmd
}

func setupConfig(config string, urls []string, ca, user, passwordFile string) (elasticsearch.Config, error) {
	cfg := elasticsearch.Config{Now: time.Now}
	if config != "" {
		plan, err := agent.Load(config)
		if err != nil {
			return cfg, err
		}
		cfg = plan.ElasticsearchConfig(time.Now)
		cfg.APIKey = nil
	}
	if len(urls) > 0 {
		cfg.URLs = urls
	}
	if ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return cfg, err
		}
		cfg.CA = pem
	}
	cfg.Username = user
	password, err := agent.SetupPassword(passwordFile)
	if err != nil {
		return cfg, err
	}
	cfg.Password = password.Reveal()
	return cfg, nil
}
