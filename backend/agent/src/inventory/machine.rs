//! The system and the processors.

/// The name of the system in `os-release`, with its version.
pub fn system(text: &str) -> Option<String> {
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='))?;
        let line = line.trim();
        let bare = ['"', '\''].into_iter().find_map(|quote| line.strip_prefix(quote)?.strip_suffix(quote));
        Some(bare.unwrap_or(line).to_owned()).filter(|text| !text.is_empty())
    };
    value("PRETTY_NAME").or_else(|| {
        let name = value("NAME")?;
        Some(value("VERSION").map_or_else(|| name.clone(), |version| format!("{name} {version}")))
    })
}

/// How many processors `/proc/cpuinfo` lists, and the first one's model where it is said.
pub fn processors(text: &str) -> (u32, Option<String>) {
    let fields = || text.lines().filter_map(|line| line.split_once(':')).map(|(key, value)| (key.trim(), value.trim()));
    let count = fields().filter(|(key, _)| *key == "processor").count();
    let model = ["model name", "cpu model", "Model", "Hardware"]
        .into_iter()
        .find_map(|wanted| fields().find(|(key, value)| *key == wanted && !value.is_empty()));
    (u32::try_from(count).unwrap_or(u32::MAX), model.map(|(_, model)| model.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_named_as_people_say_it() {
        for (text, name) in [
            (
                "NAME=\"Debian GNU/Linux\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n",
                "Debian GNU/Linux 12 (bookworm)",
            ),
            ("NAME='Alpine Linux'\nVERSION=3.19\n", "Alpine Linux 3.19"),
            ("NAME=Arch\nPRETTY_NAME=\n", "Arch"),
        ] {
            assert_eq!(system(text).as_deref(), Some(name));
        }
        assert_eq!(system("ID=x\n"), None);
    }

    #[test]
    fn processors_are_counted_and_the_first_model_is_said() {
        let text = "processor\t: 0\nmodel\t\t: 85\nmodel name\t: A Processor @ 2.40GHz\n\nprocessor\t: 1\nmodel name\t: Another\n";
        assert_eq!(processors(text), (2, Some("A Processor @ 2.40GHz".into())));
        assert_eq!(processors("processor\t: 0\nBogoMIPS\t: 50\n\nHardware\t: A Board\n"), (1, Some("A Board".into())));
        assert_eq!(processors(""), (0, None));
    }
}
