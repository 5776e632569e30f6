def test_consume_when_the_token_has_a_use_then_it_is_granted_once(editor, make_token):
    token = make_token(usage_count=1)
    first = editor.post(f"/tokens/{token.uid}/consume_token").json
    second = editor.post(f"/tokens/{token.uid}/consume_token").json
    assert (first["consumed"], second["consumed"]) == (True, False)
