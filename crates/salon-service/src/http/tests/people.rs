//! Oneself and the others.

use super::*;

#[tokio::test]
async fn others_see_no_address_and_cannot_find_by_it() {
    let house = House::open().await;
    let root = house.founder().await;
    let zoe = house.signed_up("ann.secret@example.org", None).await;
    house.by(&zoe, Method::PATCH, "me", json!({ "name": "Zoé" })).await;
    let bob = house.signed_up("bob@example.org", None).await;
    let seen = house.by(&bob, Method::GET, &format!("users/{}", zoe.id), Value::Null).await;
    assert_eq!(seen.body, json!({ "id": zoe.id, "name": "Zoé" }));
    let by_name = house.by(&bob, Method::GET, "users?prefix=zo", Value::Null).await;
    assert_eq!(by_name.body, json!({ "users": [{ "id": zoe.id, "name": "Zoé" }] }));
    for query in ["users?prefix=ann.s", "users?prefix=ann.secret@example.org", "users?prefix=ann&limit=1"] {
        assert_eq!(house.by(&bob, Method::GET, query, Value::Null).await.body, json!({ "users": [] }), "{query}");
    }
    let by_root = house.by(&root, Method::GET, "users?prefix=ann.s", Value::Null).await;
    assert_eq!(by_root.body["users"][0]["email"], "ann.secret@example.org");
}

#[tokio::test]
async fn people_come_in_pages() {
    let house = House::open().await;
    let ann = house.signed_up("ann@example.org", None).await;
    for name in ["bea@example.org", "bob@example.org", "ben@example.org"] {
        house.signed_up(name, None).await;
    }
    let (mut found, mut path) = (Vec::new(), "users?prefix=b&limit=1".to_owned());
    loop {
        let page = house.by(&ann, Method::GET, &path, Value::Null).await.body;
        found.extend(page["users"].as_array().unwrap().iter().map(|user| user["name"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("users?prefix=b&limit=1&cursor={next}");
    }
    found.sort();
    assert_eq!(found, ["bea", "ben", "bob"]);
    for query in ["users?limit=0", "users?limit=many", "users?limit=201"] {
        assert_eq!(house.by(&ann, Method::GET, query, Value::Null).await.problem(), (400, "invalid", Some("limit")));
    }
    assert_eq!(house.by(&ann, Method::GET, "users?cursor=x", Value::Null).await.problem(), (400, "invalid", Some("cursor")));
    for id in ["u_0000000000000000", "nobody", "%ff"] {
        assert_eq!(house.by(&ann, Method::GET, &format!("users/{id}"), Value::Null).await.status, 404);
    }
}

#[tokio::test]
async fn one_changes_ones_name_and_password_together_or_not_at_all() {
    let house = House::open().await;
    let phone = house.signed_up("ann@example.org", None).await;
    let login = json!({ "email": "ann@example.org", "password": PASSWORD });
    let laptop = house.post("auth/login", login.clone()).await.device();
    let change = async |body: Value| house.by(&phone, Method::PATCH, "me", body).await;
    let short = json!({ "password": "short", "current_password": PASSWORD });
    assert_eq!(change(short).await.problem(), (400, "invalid", Some("password")));
    let unproved = json!({ "password": "a new secret" });
    assert_eq!(change(unproved).await.problem(), (400, "invalid", Some("current_password")));
    let half = json!({ "name": "\u{202e}", "password": "a new secret", "current_password": PASSWORD });
    assert_eq!(change(half).await.problem(), (400, "invalid", Some("name")));
    assert_eq!(house.post("auth/login", login.clone()).await.status, 200);

    let both = json!({ "name": "Ann", "password": "a new secret", "current_password": PASSWORD });
    let changed = change(both).await;
    assert_eq!((changed.status.as_u16(), &changed.body["name"]), (200, &json!("Ann")));
    assert_eq!(house.by(&phone, Method::GET, "me", Value::Null).await.body["name"], "Ann");
    assert_eq!(house.by(&laptop, Method::GET, "me", Value::Null).await.status, 401);
    assert_eq!(house.post("auth/login", login).await.status, 401);
}
