//! Pages and look-ups.

use clavitor_core::api::EntryPage;
use clavitor_core::limits;
use http::Method;

use super::bed::{Answer, Bed, Owner, new_id};

async fn list(bed: &Bed, owner: &Owner, query: &str) -> Answer {
    bed.send(owner.call(Method::GET, &owner.path(&format!("/entries{query}")))).await
}

#[tokio::test]
async fn pages_give_every_entry_once_and_no_ciphertext() {
    let bed = Bed::start().await;
    let owner = bed.owner().await;
    let mut ids: Vec<_> = (0..5).map(|_| new_id()).collect();
    for id in &ids {
        bed.send(owner.create(*id, "Mail")).await;
    }
    bed.send(owner.delete(ids[2], 1)).await;
    ids.remove(2);
    ids.sort();
    let (mut seen, mut cursor) = (Vec::new(), None::<String>);
    for page in 0..2 {
        let query = cursor.take().map_or("?limit=3".to_owned(), |c| format!("?limit=3&cursor={c}"));
        let answer = list(&bed, &owner, &query).await;
        assert!(answer.json["items"][0].get("sealed").is_none());
        let found: EntryPage = answer.read();
        assert_eq!(found.next_cursor.is_some(), page == 0);
        seen.extend(found.items.into_iter().map(|item| item.id));
        cursor = found.next_cursor;
    }
    assert_eq!(seen, ids);
    let whole: EntryPage = list(&bed, &owner, "?limit=4").await.read();
    assert_eq!((whole.items.len(), whole.next_cursor), (4, None), "a full page that is the last says so");
}

#[tokio::test]
async fn entries_are_found_by_title_and_host() {
    let bed = Bed::start().await;
    let owner = bed.owner().await;
    let (mail, bank) = (new_id(), new_id());
    bed.send(owner.create(mail, "Mail")).await;
    bed.send(owner.create(bank, "Bank")).await;
    let found = async |query: &str| {
        let page: EntryPage = list(&bed, &owner, query).await.read();
        page.items.into_iter().map(|item| item.title).collect::<Vec<_>>()
    };
    assert_eq!(found("?title=%20mAIL").await, ["Mail"]);
    assert_eq!(found("?title=Mai").await, [""; 0]);
    assert_eq!(found("?host=MAIL.example.org").await.len(), 2);
    assert_eq!(found("?host=https%3A%2F%2Fmail.example.org%2Flogin").await.len(), 2);
    assert_eq!(found("?host=example.org").await, [""; 0]);
    let page: EntryPage = list(&bed, &owner, "?host=mail.example.org&limit=1").await.read();
    let next = page.next_cursor.unwrap();
    let page: EntryPage =
        list(&bed, &owner, &format!("?host=mail.example.org&limit=1&cursor={next}")).await.read();
    assert_eq!((page.items.len(), page.next_cursor), (1, None));

    bed.send(owner.update(mail, 1, "Post")).await;
    assert_eq!((found("?title=mail").await, found("?title=post").await), (vec![], vec!["Post".to_owned()]));
    bed.send(owner.delete(mail, 2)).await;
    assert_eq!(found("?title=post").await, [""; 0]);
}

#[tokio::test]
async fn wrong_parameters_are_refused() {
    let bed = Bed::start().await;
    let owner = bed.owner().await;
    let over = limits::PAGE_ITEMS_MAX + 1;
    for query in
        ["?limit=0", &format!("?limit={over}"), "?cursor=hunter2", "?cursor=", "?host=", "?host=a%20b"]
    {
        let answer = list(&bed, &owner, query).await;
        answer.is_problem(422, "invalid");
        assert!(!answer.json.to_string().contains("hunter2"));
    }
    for query in ["?limit=x", "?limit=-1", "?titel=Mail", "?title=a&host=b", "?title=a&title=b"] {
        list(&bed, &owner, query).await.is_problem(400, "malformed");
    }
}
