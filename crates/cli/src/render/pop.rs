//! Members and invitations of a cell.

use clavitor_core::replicator::MemberStatus;

use super::{columns, printable};

/// The members for people.
pub(crate) fn members(members: &[MemberStatus]) -> String {
    let rows = members.iter().map(|member| {
        let mut rights = Vec::new();
        for (holds, word) in
            [(member.this_node, "this node"), (member.may_lead, "may lead"), (member.blind, "blind")]
        {
            if holds {
                rights.push(word);
            }
        }
        let key = member.key.as_deref().unwrap_or("-");
        let [state, url, key] = [&member.state, &member.url, key].map(|text| printable(text).into_owned());
        vec![member.pop.to_string(), state, url, rights.join(", "), key]
    });
    columns(&["POP", "STATE", "URL", "RIGHTS", "FINGERPRINT"], rows.collect(), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_members() {
        let member = |pop: &str, this_node| MemberStatus {
            pop: pop.parse().unwrap(),
            state: if this_node { "member" } else { "pending" }.into(),
            this_node,
            url: format!("https://{pop}.example.org:1985"),
            key: this_node.then(|| "ab".repeat(32)),
            may_lead: this_node,
            blind: false,
        };
        insta::assert_snapshot!(members(&[member("calgary-01", true), member("zurich-01", false)]));
    }
}
