//! What the primary answers to a join, as a function of what it keeps and what was proved. No I/O, no clock.

use clavitor_core::limits;
use clavitor_core::order::Fingerprint;

use super::invitation::OpenInvitation;
use super::message::JoinRefusal;

/// What to do about one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Pin the key, spend the invitation, hand over the keyring.
    Admit,
    /// The key was pinned by this invitation already: hand over again what may not have arrived.
    Repeat,
    /// Note the applicant; an operator must approve it.
    Hold,
    /// Count a wrong proof, then refuse.
    WrongProof,
    /// Refuse.
    Refuse(JoinRefusal),
}

/// Judges a request of the holder of `peer`. `proved`: secret and signature are right.
///
/// Who did not prove the secret learns nothing of the invitation. A wrong proof is counted unless the invitation names
/// a key: then a stranger cannot void it, and the one that is named has nothing to guess.
pub(crate) fn judge(invitation: &OpenInvitation, peer: Fingerprint, proved: bool, now_ms: u64) -> Verdict {
    let named_other = invitation.key.is_some_and(|key| key != peer);
    if !proved {
        let counts = !named_other && invitation.is_open(now_ms);
        return if counts { Verdict::WrongProof } else { Verdict::Refuse(JoinRefusal::Refused) };
    }
    if invitation.wrong_tries >= limits::INVITATION_TRIES_MAX {
        return Verdict::Refuse(JoinRefusal::Void);
    }
    if now_ms >= invitation.expires_at_ms {
        return Verdict::Refuse(JoinRefusal::Expired);
    }
    match (&invitation.key, &invitation.pending) {
        (Some(_), _) if named_other && invitation.spent => Verdict::Refuse(JoinRefusal::Used),
        (Some(_), _) if named_other => Verdict::Refuse(JoinRefusal::WrongKey),
        (Some(_), _) if invitation.spent => Verdict::Repeat,
        (Some(_), _) => Verdict::Admit,
        (None, Some(applicant)) if applicant.key != peer => Verdict::Refuse(JoinRefusal::OtherPending),
        (None, _) => Verdict::Hold,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::join::invitation::Applicant;
    use crate::join::proof::proof_key;

    const ME: Fingerprint = Fingerprint([1; 32]);
    const OTHER: Fingerprint = Fingerprint([2; 32]);

    fn open() -> OpenInvitation {
        OpenInvitation {
            proof_key: proof_key(&[0; 32]),
            expires_at_ms: 1_000,
            wrong_tries: 0,
            key: Some(ME),
            url: String::new(),
            may_lead: false,
            blind: false,
            pending: None,
            spent: false,
        }
    }

    #[test]
    fn the_named_key_is_admitted_once_and_may_ask_again() {
        assert_eq!(judge(&open(), ME, true, 999), Verdict::Admit);
        let spent = OpenInvitation { spent: true, ..open() };
        assert_eq!(judge(&spent, ME, true, 999), Verdict::Repeat);
        assert_eq!(judge(&spent, OTHER, true, 999), Verdict::Refuse(JoinRefusal::Used));
        assert_eq!(judge(&spent, ME, true, 1_000), Verdict::Refuse(JoinRefusal::Expired));
    }

    #[test]
    fn another_key_an_end_and_too_many_tries_are_refused() {
        assert_eq!(judge(&open(), OTHER, true, 0), Verdict::Refuse(JoinRefusal::WrongKey));
        assert_eq!(judge(&open(), ME, true, 1_000), Verdict::Refuse(JoinRefusal::Expired));
        let void = OpenInvitation { wrong_tries: limits::INVITATION_TRIES_MAX, ..open() };
        assert_eq!(judge(&void, ME, true, 0), Verdict::Refuse(JoinRefusal::Void));
        assert_eq!(judge(&void, ME, false, 0), Verdict::Refuse(JoinRefusal::Refused));
    }

    #[test]
    fn a_stranger_cannot_void_an_invitation_that_names_a_key() {
        assert_eq!(judge(&open(), OTHER, false, 0), Verdict::Refuse(JoinRefusal::Refused));
        assert_eq!(judge(&open(), ME, false, 0), Verdict::WrongProof);
        assert_eq!(judge(&OpenInvitation { key: None, ..open() }, OTHER, false, 0), Verdict::WrongProof);
    }

    #[test]
    fn without_a_named_key_the_first_applicant_waits() {
        let nameless = OpenInvitation { key: None, ..open() };
        assert_eq!(judge(&nameless, ME, true, 0), Verdict::Hold);
        let applicant = Applicant { key: ME, url: String::new(), public_url: String::new() };
        let waiting = OpenInvitation { pending: Some(applicant), ..nameless };
        assert_eq!(judge(&waiting, ME, true, 0), Verdict::Hold);
        assert_eq!(judge(&waiting, OTHER, true, 0), Verdict::Refuse(JoinRefusal::OtherPending));
    }
}
