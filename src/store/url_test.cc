#include "store/url.h"

#include <gtest/gtest.h>

#include "store/digest.h"
#include "store/http.h"

namespace tandem {
namespace {

TEST(Url, TellsOriginsApart) {
  EXPECT_TRUE(SameOrigin("https://hub.example/a?x=1", "https://HUB.example:443/b"));
  EXPECT_FALSE(SameOrigin("https://hub.example/a", "https://cdn.hub.example/a"));
  EXPECT_FALSE(SameOrigin("https://hub.example/a", "http://hub.example/a"));
  EXPECT_FALSE(SameOrigin("http://127.0.0.1:1/a", "http://127.0.0.1:2/a"));
  EXPECT_FALSE(SameOrigin("no address", "no address"));
}

TEST(Url, KeepsTokensOffOpenLines) {
  EXPECT_TRUE(MaySendToken("https://hub.example/a"));
  EXPECT_TRUE(MaySendToken("http://127.0.0.1:8080/a"));
  EXPECT_TRUE(MaySendToken("http://localhost/a"));
  EXPECT_FALSE(MaySendToken("http://hub.example/a"));
  EXPECT_FALSE(MaySendToken("http://localhost.example/a"));
}

TEST(Url, ResolvesRedirects) {
  EXPECT_EQ(RedirectTarget("http://a.example/x/y?q=1", "/z").value(), "http://a.example/z");
  EXPECT_EQ(RedirectTarget("http://a.example/x", "https://b.example/z?s=2").value(),
            "https://b.example/z?s=2");
  for (const char* bad : {"file:///etc/passwd", "http://a.example/downgrade"}) {
    EXPECT_EQ(RedirectTarget("https://a.example/x", bad).status().code(), StatusCode::kCorrupt);
  }
  EXPECT_EQ(RedirectTarget("https://a.example/x", "http://[").status().code(),
            StatusCode::kCorrupt);
}

TEST(Url, ShowsNoSecrets) {
  EXPECT_EQ(UrlForPeople("https://me:pw@a.example/x?Signature=secret#f"), "https://a.example/x");
  EXPECT_EQ(EncodePath("a b/ü:1"), "a%20b/%C3%BC%3A1");
}

TEST(HttpHeaders, AnswerInAnyCaseAndForgetEarlierReplies) {
  HttpHeaders headers;
  headers.AddLine("HTTP/1.1 302 Found\r\n");
  headers.AddLine("ETag: \"one\"\r\n");
  headers.AddLine("HTTP/1.1 200 OK\r\n");
  headers.AddLine("X-Linked-Size:  12 \r\n");
  EXPECT_EQ(headers.Get("x-linked-size"), "12");
  EXPECT_EQ(headers.Get("ETAG"), "");
}

TEST(RetryAfter, ReadsSecondsAndDates) {
  HttpHeaders headers;
  EXPECT_FALSE(RetryAfter(headers).has_value());
  headers.AddLine("Retry-After: 7");
  EXPECT_EQ(RetryAfter(headers), std::chrono::seconds(7));
  headers.AddLine("Retry-After: 100000");
  EXPECT_EQ(RetryAfter(headers), std::chrono::minutes(5));
  headers.AddLine("Retry-After: Wed, 21 Oct 2015 07:28:00 GMT");
  EXPECT_EQ(RetryAfter(headers), std::chrono::seconds(0));
  headers.AddLine("Retry-After: soon");
  EXPECT_FALSE(RetryAfter(headers).has_value());
}

TEST(Digest, GivesThePublishedValues) {
  Digest sha256;
  sha256.Add("abc");  // FIPS 180-2, appendix B.1
  EXPECT_EQ(sha256.Hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  ExpectedHash git;
  git.git_sha1 = "any";
  Digest blob = git.Start(0);  // git hash-object of an empty file
  EXPECT_EQ(blob.Hex(), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
}

}  // namespace
}  // namespace tandem
