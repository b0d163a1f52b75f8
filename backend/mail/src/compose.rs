//! From an envelope to the bytes on the wire.

use lettre::Message;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};

use crate::{Envelope, SendError};

/// A mail with plain text and page as alternatives. Its date is the attempt's.
pub(crate) fn compose(envelope: &Envelope) -> Result<Message, SendError> {
    let id = &envelope.message_id;
    let bare = id.strip_prefix('<').and_then(|id| id.strip_suffix('>'));
    let clean = |c: char| c.is_ascii_graphic() && c != '<' && c != '>';
    if !bare.is_some_and(|bare| bare.contains('@') && bare.chars().all(clean)) {
        return Err(unwritable("the Message-ID is not <id@domain>"));
    }
    let mut message = Message::builder()
        .message_id(Some(id.clone()))
        .from(mailbox("sender", &envelope.from)?)
        .to(mailbox("receiver", &envelope.to)?)
        .subject(envelope.subject.replace(['\r', '\n'], " "))
        .multipart(MultiPart::alternative_plain_html(envelope.text.clone(), envelope.html.clone()))
        .map_err(|error| unwritable(&error.to_string()))?;
    // RFC 3834: no out-of-office answer to us, please.
    let name = HeaderName::new_from_ascii_str("Auto-Submitted");
    message.headers_mut().insert_raw(HeaderValue::new(name, "auto-generated".to_owned()));
    Ok(message)
}

fn mailbox(which: &str, address: &str) -> Result<Mailbox, SendError> {
    address.parse().map_err(|error| unwritable(&format!("the {which} is no address: {error}")))
}

fn unwritable(reason: &str) -> SendError {
    SendError::Permanent { reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use mail_parser::{MessageParser, MimeHeaders as _};

    use super::*;

    fn envelope() -> Envelope {
        Envelope {
            message_id: "<incident-1@mend.example>".to_owned(),
            from: "Mendwright <mend@mend.example>".to_owned(),
            to: "sam@msp.example".to_owned(),
            subject: "Fixed: größerer Ausfall".to_owned(),
            html: "<p>Läuft <b>wieder</b></p>".to_owned(),
            text: "Läuft wieder\n.\n.. Ende".to_owned(),
        }
    }

    #[test]
    fn a_mail_has_both_forms_its_own_id_and_asks_for_no_answer() {
        let bytes = compose(&envelope()).unwrap().formatted();
        let mail = MessageParser::default().parse(&bytes).unwrap();
        assert_eq!(mail.message_id(), Some("incident-1@mend.example"));
        assert_eq!(mail.subject(), Some("Fixed: größerer Ausfall"));
        assert_eq!(mail.body_text(0).unwrap().replace("\r\n", "\n").trim_end(), "Läuft wieder\n.\n.. Ende");
        assert_eq!(mail.body_html(0).unwrap().trim_end(), "<p>Läuft <b>wieder</b></p>");
        assert_eq!(mail.header("Auto-Submitted").unwrap().as_text(), Some("auto-generated"));
        assert!(mail.is_content_type("multipart", "alternative"));
    }

    #[test]
    fn a_subject_adds_no_header() {
        let mut envelope = envelope();
        envelope.subject = "Fixed\r\nBcc: everybody@msp.example".to_owned();
        let bytes = compose(&envelope).unwrap().formatted();
        let mail = MessageParser::default().parse(&bytes).unwrap();
        assert!(mail.bcc().is_none());
        assert_eq!(mail.subject(), Some("Fixed  Bcc: everybody@msp.example"));
    }

    #[test]
    fn what_cannot_be_written_is_refused_for_good() {
        for change in [
            |e: &mut Envelope| e.to = "nobody".to_owned(),
            |e: &mut Envelope| e.from = "a@b\r\nBcc: c@d.example".to_owned(),
            |e: &mut Envelope| e.message_id = "incident-1@mend.example".to_owned(),
            |e: &mut Envelope| e.message_id = "<a@b>\r\nBcc: <c@d>".to_owned(),
        ] {
            let mut envelope = envelope();
            change(&mut envelope);
            assert!(matches!(compose(&envelope), Err(SendError::Permanent { .. })), "{envelope:?}");
        }
    }
}
